//! The Lua script that does the filter's job.
//!
//! It is written for speed: no header is read twice, the cookie is found without a pattern (which would make it twice as
//! dear), no string is built for a visitor who is known, and only new visitors keep something for their response, in the
//! way that Envoy's documentation offers; while there are none, no response asks for it. It is spared what the filter does
//! beside the job: removing a client's copy of the version header, ageing cookies, asking caches not to share an answer that
//! sets one, counting.

use crate::job::{Copy, HOST, Match, PREFIX, WEIGHT};

/// The script for one copy.
pub(crate) fn script(copy: Copy, covers: Match) -> String {
    let covered = match covers {
        Match::All => String::new(),
        Match::Hosts => by_host(),
        Match::Paths => by_host() + &by_path(),
    };
    let (name, header, version, cookie) = (copy.name(), copy.override_header(), copy.version_header(), copy.cookie());
    format!(
        r#"
local canary_percent = {WEIGHT}
local find, byte, sub = string.find, string.byte, string.sub
-- New visitors whose response has not come yet. One that never comes costs later ones a look, and nothing else.
local expected = 0

local function number_in(cookies)
  local from = 1
  while true do
    local first, last = find(cookies, "{cookie}=n", from, true)
    if not first then return nil end
    local before = byte(cookies, first - 1)
    if first == 1 or before == 32 or before == 59 then
      return tonumber(sub(cookies, last + 1, last + 10))
    end
    from = last + 1
  end
end

function envoy_on_request(handle)
  local headers = handle:headers()
  {covered}
  local version = headers:get("{header}")
  if version ~= "v1" and version ~= "v2" then
    local cookies = headers:get("cookie")
    local number = cookies and number_in(cookies)
    if not number then
      number = math.random(0, 999999999)
      handle:streamInfo():dynamicMetadata():set("{name}", "visitor", number)
      expected = expected + 1
    end
    version = number % 100 < canary_percent and "v2" or "v1"
  end
  if version == "v2" then
    headers:replace("{version}", version)
  end
end

function envoy_on_response(handle)
  if expected == 0 then return end
  local new = handle:streamInfo():dynamicMetadata():get("{name}")
  if new then
    expected = expected - 1
    local cookie = string.format("{cookie}=n%010d; Max-Age=2592000; Path=/; HttpOnly; SameSite=Lax", new["visitor"])
    handle:headers():add("set-cookie", cookie)
  end
end
"#
    )
}

fn by_host() -> String {
    format!("if headers:get(\":authority\") ~= \"{HOST}\" then return end\n")
}

/// A path of whole segments, with or without a query.
fn by_path() -> String {
    let next = PREFIX.len() + 1;
    format!(
        r#"  local path = headers:get(":path")
  local next = byte(path, {next})
  if sub(path, 1, {length}) ~= "{PREFIX}" or (next and next ~= 47 and next ~= 63) then return end
"#,
        length = PREFIX.len()
    )
}
