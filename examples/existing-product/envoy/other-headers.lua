-- Makes the key of X-Api-Key or HTTP Basic a bearer token. For Envoy's Lua filter.
-- CHANGE: the key's prefix, if key-prefix is set.
local PREFIX = "tdc_"
local DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

local function decode(base64)
  local bits, count, bytes = 0, 0, {}
  for digit in base64:gmatch("[^=]") do
    bits, count = bits * 64 + DIGITS:find(digit, 1, true) - 1, count + 6
    if count >= 8 then
      count = count - 8
      local byte = math.floor(bits / 2 ^ count)
      bits = bits % 2 ^ count
      bytes[#bytes + 1] = string.char(byte)
    end
  end
  return table.concat(bytes)
end

-- The keys among user name and password.
local function keys_in_basic(authorization)
  local user, password = decode(authorization:match("^%a+ +([%w+/]+=*)$") or ""):match("^([^:]*):?(.*)$")
  local keys = {}
  for _, each in ipairs({user or "", password or ""}) do
    if each:match("^" .. PREFIX .. "%w+$") then keys[#keys + 1] = each end
  end
  return keys
end

function envoy_on_request(request)
  local headers = request:headers()
  local api_key, authorization = headers:get("x-api-key"), headers:get("authorization")
  local keys = {}
  if api_key then
    keys[1] = api_key
  elseif authorization and authorization:lower():match("^basic ") then
    keys = keys_in_basic(authorization)
  end
  if #keys == 1 and not (api_key and authorization) then
    headers:replace("authorization", "Bearer " .. keys[1])
  elseif #keys > 0 then
    -- Of a request with two credentials neither is chosen: it gets no key, so Keybearer refuses it.
    headers:replace("authorization", "Bearer two-credentials")
  end
end
