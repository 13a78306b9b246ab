-- Commands of the plugin; everything else is loaded with the first of them.
local function command(name, method)
  vim.api.nvim_create_user_command(name, function() require("stenoline")[method]() end, {})
end

command("StenolineStart", "start")
command("StenolineStop", "stop")
command("StenolineToggle", "toggle")

vim.api.nvim_create_autocmd("VimLeavePre", {
  callback = function()
    if package.loaded.stenoline then package.loaded.stenoline.abandon() end
  end,
})
