internal import ServiceKit
internal import SubstrateModel

/// nginx's copy of the table of actors, in memory that its processes share: what they look up for each request, in Lua, and how they
/// are told what has changed.
///
/// An update is lines of text: `all` or `some` and until when the copy may be used (milliseconds since the machine was
/// started), then `+<atespace>/<actor> <place>` or `-<atespace>/<actor>`. The answer says who has been asked for since the last one,
/// and how often: `<count> <atespace>/<actor>`.
enum NginxTable {
    /// Of the places, in bytes: several hundred thousand. What finds no room is asked about.
    private static let size = "64m"

    /// In nginx's Lua module, which Debian has as a package of its own.
    static let modules = ["ndk_http_module.so", "ngx_http_lua_module.so"]

    static func update(isWhole: Bool, until: Duration, places: [(ActorRef, Destination?)]) -> String {
        var text = "\(isWhole ? "all" : "some") \(Int(until / .milliseconds(1)))\n"
        for (actor, destination) in places {
            if let destination {
                text += "+\(actor.atespace)/\(actor.name) \(destination.isRouter ? "r" : "a")\(destination.address)\n"
            } else {
                text += "-\(actor.atespace)/\(actor.name)\n"
            }
        }
        return text
    }

    static func counts(in answer: String) -> [ActorRef: Int] {
        var counts: [ActorRef: Int] = [:]
        for line in answer.split(separator: "\n") {
            let words = line.split(separator: " ")
            let names = words.last?.split(separator: "/").map(String.init) ?? []
            guard words.count == 2, names.count == 2, let count = Int(words[0]) else { continue }
            counts[ActorRef(atespace: names[0], name: names[1]), default: 0] += count
        }
        return counts
    }

    /// For the main part of nginx's configuration.
    static func loading(from directory: String) -> String {
        modules.map { "load_module \"\(directory)/\($0)\";" }.joined(separator: "\n")
    }

    /// For its `http` part.
    /// - Parameters:
    ///   - directory: of the file with `program`.
    ///   - socket: where updates are taken; only who may use the table's directory can connect.
    static func serving(_ directory: String, at socket: String) -> String {
        """
            lua_shared_dict ate_places \(size);
            lua_shared_dict ate_asked 16m;
            lua_package_path "\(directory)/?.lua;;";
            init_by_lua_block { ate = require "ate_table" }
            server {
                listen "unix:\(socket)";
                location / {
                    client_max_body_size 256m;
                    client_body_buffer_size 4m;
                    content_by_lua_block { ate.take() }
                }
            }
        """
    }

    /// Sets `$ate_known` to 1 when the request goes to an actor, 2 when it goes to the router of another machine, and 0 when the
    /// endpoint has to be asked.
    /// - Parameter passesOn: whether it can go to another router.
    static func lookup(passesOn: Bool) -> String {
        "set_by_lua_block $ate_known { return ate.lookup(\(passesOn)) }"
    }

    /// What belongs into `ate_table.lua`.
    ///
    /// The target is read as `RequestTarget` does for names in their usual form; in another one it is not found, and the endpoint is
    /// asked.
    static let program = #"""
        -- Written by atenet; changes are lost.
        local ffi = require "ffi"
        local places, asked = ngx.shared.ate_places, ngx.shared.ate_asked
        local find, sub, byte = string.find, string.sub, string.byte

        ffi.cdef "struct ate_time { long seconds, nanoseconds; }; int clock_gettime(int clock, struct ate_time *time);"
        local time = ffi.new "struct ate_time"
        local boottime = 7

        -- No actor is called that.
        local until_key = "until"
        local suffix = ".DOMAIN"
        local router = byte "r"

        local function now()
            ffi.C.clock_gettime(boottime, time)
            return tonumber(time.seconds) * 1000 + tonumber(time.nanoseconds) / 1000000
        end

        local function target(var)
            local named = var.http_ate_target_actor
            if named and named ~= "" then return named end
            local host = var.http_host
            if not host then return nil end
            local colon = find(host, ":", 1, true)
            if colon then
                if not find(host, "^%d+$", colon + 1) then return nil end
                host = sub(host, 1, colon - 1)
            end
            if sub(host, -#suffix) ~= suffix then return nil end
            local name = sub(host, 1, -#suffix - 1)
            local dot = find(name, ".", 1, true)
            if not dot then return "default/" .. name end
            return sub(name, dot + 1) .. "/" .. sub(name, 1, dot - 1)
        end

        local function lookup(passes_on)
            local var = ngx.var
            -- Only where routers send requests they are passed on for them.
            if passes_on and var.http_x_ate_forwarded then return 0 end
            local actor = target(var)
            local place = actor and #actor < 256 and actor ~= until_key and places:get(actor)
            if not place or now() >= (places:get(until_key) or 0) then return 0 end
            local is_router = byte(place) == router
            if is_router and not passes_on then return 0 end
            asked:incr(actor, 1, 0)
            var.ate_destination = sub(place, 2)
            var.ate_round = "1"
            return is_router and 2 or 1
        end

        local function body()
            ngx.req.read_body()
            local text = ngx.req.get_body_data()
            if text then return text end
            local file = io.open(ngx.req.get_body_file() or "", "rb")
            if not file then return "" end
            text = file:read "*a"
            file:close()
            return text
        end

        local function fail(reason)
            places:flush_all()
            ngx.status = 500
            ngx.say(reason)
        end

        local function take()
            local text = body()
            local first, last, kind, deadline = find(text, "^(%a+) (%d+)\n")
            if not first then return fail "the update has no head" end
            if kind == "all" then places:flush_all() end
            for line in sub(text, last + 1):gmatch "[^\n]+" do
                local actor, place = line:match "^%+(%S+) (%S+)$"
                if actor then
                    local is_set, reason = places:safe_set(actor, place)
                    if not is_set then return fail(reason) end
                elseif byte(line) == 45 then
                    places:delete(sub(line, 2))
                end
            end
            places:set(until_key, tonumber(deadline))
            for _, actor in ipairs(asked:get_keys(0)) do
                local count = asked:get(actor) or 0
                if count > 0 then
                    asked:incr(actor, -count)
                    ngx.say(count, " ", actor)
                else
                    asked:delete(actor)
                end
            end
        end

        return { lookup = lookup, take = take }
        """#.replacing("DOMAIN", with: HostName.domain) + "\n"
}
