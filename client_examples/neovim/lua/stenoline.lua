-- Dictation: the microphone goes to a Stenoline server, what is final is written at the cursor of the buffer it began in.
local websocket = require("stenoline.websocket")
local uv = vim.loop

local M = {}

M.settings = {
  url = "ws://127.0.0.1:8000/v1/stream",
  key = nil, -- API key; without one STENOLINE_API_KEY
  language = nil, -- such as "en"; without one it is found
  hotwords = {}, -- phrases to favour, written as they are to be written
  hotword_lists = {}, -- ready-made ones of the server, such as "software"
  recorder = nil, -- program and arguments that write s16le, mono, 16 kHz to standard output; without it the first found
}

local RECORDERS = {
  { "arecord", "-q", "-t", "raw", "-f", "S16_LE", "-r", "16000", "-c", "1" },
  { "parecord", "--raw", "--format=s16le", "--rate=16000", "--channels=1", "--latency-msec=50" },
  { "rec", "-q", "-t", "raw", "-b", "16", "-e", "signed-integer", "-r", "16000", "-c", "1", "-" },
  { "ffmpeg", "-loglevel", "error", "-f", "pulse", "-i", "default", "-ac", "1", "-ar", "16000", "-f", "s16le", "-" },
}
local SPACE = vim.api.nvim_create_namespace("stenoline")
local PLACE = vim.fn.has("nvim-0.10") == 1 and "inline" or "eol"
local EARLY = 320000 -- bytes of sound that wait until the server is ready: ten seconds

local session -- the one that runs: { buffer, socket, recorder, pid, waiting, is_ready, is_stopping }

local function say(message, level)
  vim.notify("Stenoline: " .. message, level or vim.log.levels.ERROR)
end

-- Settings by name; a wrong name or type is an error.
function M.setup(given)
  local lists = { hotwords = true, hotword_lists = true, recorder = true }
  for name, value in pairs(given or {}) do
    if not (lists[name] or vim.tbl_contains({ "url", "key", "language" }, name)) then error("stenoline: no setting " .. name, 0) end
    local expected = lists[name] and "table" or "string"
    if type(value) ~= expected then error("stenoline: " .. name .. " is a " .. type(value) .. ", expected a " .. expected, 0) end
    M.settings[name] = value
  end
end

-- The buffer

local function is_inserting()
  return vim.fn.mode():match("^[iR]") ~= nil
end

-- Row and column where typing would go on: in a window that shows the buffer, otherwise at its end.
local function cursor(buffer)
  local window = vim.fn.bufwinid(buffer)
  if window == -1 then
    local row = vim.api.nvim_buf_line_count(buffer) - 1
    return row, #vim.api.nvim_buf_get_lines(buffer, row, row + 1, false)[1]
  end
  local row, column = unpack(vim.api.nvim_win_get_cursor(window))
  local line = vim.api.nvim_buf_get_lines(buffer, row - 1, row, false)[1]
  if not is_inserting() then column = column + #vim.fn.matchstr(line:sub(column + 1), ".") end -- after the letter that it is on
  return row - 1, column, window
end

local function text_of(words)
  return table.concat(vim.tbl_map(function(word) return word.text end, words))
end

local function show(stable, unstable)
  if not vim.api.nvim_buf_is_valid(session.buffer) then return end
  vim.api.nvim_buf_clear_namespace(session.buffer, SPACE, 0, -1)
  if stable .. unstable == "" then return end
  local row, column = cursor(session.buffer)
  vim.api.nvim_buf_set_extmark(session.buffer, SPACE, row, column, {
    virt_text = { { stable, "Normal" }, { unstable, "Comment" } },
    virt_text_pos = PLACE,
  })
end

-- Words carry their leading space, where the script has spaces; it is left out after one and at the beginning of a line.
local function write(words)
  local row, column, window = cursor(session.buffer)
  local before = vim.api.nvim_buf_get_text(session.buffer, row, 0, row, column, {})[1]
  local text = text_of(words)
  if before == "" or before:match("%s$") then text = vim.trim(text) end
  vim.api.nvim_buf_set_text(session.buffer, row, column, row, column, { text })
  local last = is_inserting() and 0 or #vim.fn.matchstr(text, ".$")
  if window then vim.api.nvim_win_set_cursor(window, { row + 1, column + #text - last }) end
end

-- The server

local TAKE = {
  ready = function()
    session.is_ready = true
    M.hear("")
  end,
  partial = function(event) show(text_of(event.stable), text_of(event.unstable)) end,
  final = function(event)
    show("", "")
    if #event.words == 0 then return end
    local fine, fault = pcall(write, event.words)
    if not fine then
      vim.fn.setreg('"', text_of(event.words))
      say("the text could not be written (" .. fault .. '); it is in the register "')
    end
  end,
  warning = function(event) say(event.message, vim.log.levels.WARN) end,
  error = function(event)
    say(event.message)
    if not session.is_ready then M.abandon() end -- it will not start
  end,
}

local function take(event)
  if TAKE[event.type] then TAKE[event.type](event) end
end

local function start_message()
  local settings = M.settings
  local start = { type = "start", language = settings.language }
  if #settings.hotwords > 0 then start.hotwords = settings.hotwords end -- an empty table would be written as an object
  if #settings.hotword_lists > 0 then start.hotword_lists = settings.hotword_lists end
  return vim.json.encode(start)
end

-- The microphone

-- Sound that came; it waits until the server is ready, and at most so much of it.
function M.hear(data)
  local waiting = session.waiting .. data
  if not session.is_ready and #waiting <= EARLY then
    session.waiting = waiting
  elseif session.is_ready and session.socket:send_binary(waiting) then
    session.waiting, session.is_dropping = "", false
  elseif not session.is_dropping then
    session.is_dropping = true
    say("the server or the network is too slow: sound was dropped", vim.log.levels.WARN)
  end
  if session.is_ready and session.is_over then session.socket:send_text('{"type": "stop"}') end
end

local function recorder()
  local chosen = M.settings.recorder or vim.tbl_filter(function(each) return vim.fn.executable(each[1]) == 1 end, RECORDERS)[1]
  if not chosen then error("no recorder was found: install alsa-utils (arecord), SoX or ffmpeg, or set `recorder`", 0) end
  if vim.fn.executable(chosen[1]) == 0 then error("recorder " .. chosen[1] .. " cannot be run", 0) end
  return chosen
end

local function record(mine, command)
  local out, err, complaint = uv.new_pipe(false), uv.new_pipe(false), ""
  local options = { args = vim.list_slice(command, 2), stdio = { nil, out, err } }
  mine.recorder = uv.spawn(command[1], options, vim.schedule_wrap(function(code)
    mine.recorder:close()
    mine.recorder = nil
    if code == 0 or mine.is_stopping then return end
    say("recorder " .. command[1] .. " ended with " .. code .. ": " .. complaint:match("([^\n]*)%s*$"))
  end))
  if not mine.recorder then error("recorder " .. command[1] .. " cannot be run", 0) end
  err:read_start(function(_, data)
    if not data then return err:close() end
    complaint = (complaint .. data):sub(-500)
  end)
  out:read_start(vim.schedule_wrap(function(_, data)
    if not data then out:close() end
    if session ~= mine then return end
    mine.is_over = not data
    M.hear(data or "")
  end))
end

-- Commands

function M.start()
  if session then return say("already listening", vim.log.levels.WARN) end
  local mine = { buffer = vim.api.nvim_get_current_buf(), waiting = "" }
  local key = M.settings.key or vim.env.STENOLINE_API_KEY
  local fine, fault = pcall(function()
    local command = recorder()
    if not vim.bo[mine.buffer].modifiable then error("this buffer cannot be written to", 0) end
    mine.socket = websocket.connect(M.settings.url, key and { "Authorization: Bearer " .. key } or {}, {
      open = function() mine.socket:send_text(start_message()) end,
      message = function(text)
        if session == mine then take(vim.json.decode(text)) end
      end,
      closed = function(reason)
        if session == mine then M.abandon() end
        if reason then say(M.settings.url .. ": " .. reason) end
      end,
    })
    session = mine
    record(mine, command)
  end)
  if not fine then
    if mine.socket then M.abandon() end
    say(fault)
  end
end

-- What was said is still finished.
function M.stop()
  if not session then return say("not listening", vim.log.levels.WARN) end
  session.is_stopping = true
  if session.recorder then session.recorder:kill("sigterm") end
end

-- At once: nothing more is written.
function M.abandon()
  local mine = session
  if not mine then return end
  show("", "")
  session, mine.is_stopping = nil, true
  if mine.recorder then mine.recorder:kill("sigterm") end
  mine.socket:finish()
end

function M.toggle()
  if session then M.stop() else M.start() end
end

-- For a status line.
function M.is_listening()
  return session ~= nil
end

return M
