-- A WebSocket client (RFC 6455) on Neovim's event loop: no TLS, no extensions. Callbacks come in the main loop.
local uv, bit = vim.loop, require("bit")

local CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
local LONGEST = 2 ^ 24 -- bytes of a message or of an answer's head that are taken
local BACKLOG = 320000 -- bytes that wait for a slow network (ten seconds of sound); what comes beyond that is refused
local LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

local Socket = {}
Socket.__index = Socket

-- Sixteen random bytes as base64; the last letter but the padding carries only two bits.
local function nonce()
  local letters = uv.random(21):gsub(".", function(byte)
    local at = byte:byte() % 64 + 1
    return LETTERS:sub(at, at)
  end)
  return letters .. "A=="
end

local function masked(payload, key)
  local out, keys = {}, { key:byte(1, 4) }
  for i = 1, #payload do
    out[i] = string.char(bit.bxor(payload:byte(i), keys[(i - 1) % 4 + 1]))
  end
  return table.concat(out)
end

local function big_endian(number, bytes)
  local out = ""
  for _ = 1, bytes do
    out, number = string.char(number % 256) .. out, math.floor(number / 256)
  end
  return out
end

local function number_in(data, from, bytes)
  local number = 0
  for i = from, from + bytes - 1 do
    number = number * 256 + data:byte(i)
  end
  return number
end

local function frame(opcode, payload)
  local size, key = #payload, uv.random(4)
  local length = size < 126 and string.char(128 + size)
    or size < 65536 and string.char(128 + 126) .. big_endian(size, 2)
    or string.char(128 + 127) .. big_endian(size, 8)
  return string.char(128 + opcode) .. length .. key .. masked(payload, key)
end

-- The first frame of the data as {final, opcode, payload} and what follows it; nil while it is not whole.
local function unframe(data)
  if #data < 2 then return nil, data end
  local first, size, from = data:byte(1), data:byte(2) % 128, 3
  local extra = size == 126 and 2 or size == 127 and 8 or 0
  if #data < 2 + extra then return nil, data end
  if extra > 0 then size, from = number_in(data, 3, extra), 3 + extra end
  if size > LONGEST then error("a message of " .. size .. " bytes, expected at most " .. LONGEST, 0) end
  if #data < from + size - 1 then return nil, data end
  return { first >= 128, first % 16, data:sub(from, from + size - 1) }, data:sub(from + size)
end

-- Connects. on: open(), message(text), closed(reason or nil): exactly once, with a reason unless the server closed in order.
local function connect(url, headers, on)
  local host, rest = url:match("^ws://([^/?]+)(.*)$")
  if not host then error("url is " .. url .. ", expected ws://HOST:PORT/PATH (without TLS; far ones: ssh -L)", 0) end
  local self = setmetatable({ on = on, data = "", parts = {} }, Socket)
  self.request = { "GET " .. (rest:match("^/") and rest or "/" .. rest) .. " HTTP/1.1", "Host: " .. host, "Upgrade: websocket" }
  vim.list_extend(self.request, { "Connection: Upgrade", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: " .. nonce() })
  vim.list_extend(self.request, headers)
  local name, port = host:match("^%[?(.-)%]?:(%d+)$")
  uv.getaddrinfo(name or host, nil, { socktype = "stream" }, function(fault, addresses)
    if fault then return self:finish("no address: " .. fault) end
    self:try(addresses, 1, tonumber(port or 80))
  end)
  return self
end

-- A name may stand for several addresses, of which the server has one.
function Socket:try(addresses, at, port)
  if self.done then return end
  self.tcp = uv.new_tcp()
  self.tcp:connect(addresses[at].addr, port, function(fault)
    if self.done then return end
    if fault and addresses[at + 1] then
      self.tcp:close()
      return self:try(addresses, at + 1, port)
    elseif fault then
      return self:finish("no connection: " .. fault)
    end
    self.tcp:write(table.concat(self.request, "\r\n") .. "\r\n\r\n")
    self.tcp:read_start(function(lost, data) self:read(lost, data) end)
  end)
end

function Socket:read(lost, data)
  if self.done then return end
  if lost or not data then return self:finish("the connection was lost") end
  self.data = self.data .. data
  local fine, fault = pcall(function()
    if not self.is_open then self:answer() end
    while self.is_open and not self.done do
      local got
      got, self.data = unframe(self.data)
      if not got then break end
      self:take(unpack(got))
    end
  end)
  if not fine then self:finish(fault) end
end

-- The server's answer to the handshake: its head, and why not, if it refuses.
function Socket:answer()
  local head, rest = self.data:match("^(.-\r\n)\r\n(.*)$")
  if not head then return #self.data > LONGEST and self:finish("no answer of a WebSocket server") end
  local status = head:match("^HTTP/1%.1 (%d+)")
  if status == "101" then
    self.is_open, self.data = true, rest
    return vim.schedule(self.on.open)
  end
  if #rest < tonumber(head:lower():match("content%-length: *(%d+)") or 0) then return end
  local is_json, body = pcall(vim.json.decode, rest)
  self:finish((status or "no answer of a WebSocket server") .. (is_json and ": " .. body.error.message or ""))
end

function Socket:take(is_final, opcode, payload)
  if opcode == PING then
    self.tcp:write(frame(PONG, payload))
  elseif opcode == CLOSE then
    local code = #payload >= 2 and number_in(payload, 1, 2) or 1005
    self.tcp:write(frame(CLOSE, payload:sub(1, 2)))
    self:finish(code ~= 1000 and "closed with " .. code .. " " .. payload:sub(3) or nil)
  elseif opcode == TEXT or opcode == BINARY or opcode == CONTINUATION then
    table.insert(self.parts, payload)
    if not is_final then return end
    local message = table.concat(self.parts)
    self.parts = {}
    vim.schedule(function() self.on.message(message) end)
  end
end

-- Once, after all messages.
function Socket:finish(reason)
  if self.done then return end
  self.done = true
  if self.tcp and not self.tcp:is_closing() then
    local closing = self.is_open and self.tcp:shutdown(function() self.tcp:close() end)
    if not closing then self.tcp:close() end
  end
  vim.schedule(function() self.on.closed(reason) end)
end

function Socket:send_text(text)
  if self.is_open and not self.done then self.tcp:write(frame(TEXT, text)) end
end

-- False if so much waits already that it was not taken.
function Socket:send_binary(data)
  if not self.is_open or self.done or data == "" then return true end
  if self.tcp:get_write_queue_size() > BACKLOG then return false end
  self.tcp:write(frame(BINARY, data))
  return true
end

return { connect = connect }
