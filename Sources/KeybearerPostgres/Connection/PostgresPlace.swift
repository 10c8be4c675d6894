import CLibPQ

/// Where a connection string leads, in a form that may be shown: hosts, database and user; never a password.
struct PostgresPlace: Sendable {
    private static let standardPort = "5432"

    /// `host:port` of each host; empty for the default socket.
    private var hosts: [String] = []
    private(set) var database = ""
    private(set) var user = ""
    /// Whether the parts are known and none of them can be a piece of a password.
    private(set) var isKnown = false

    /// Reads a connection string as libpq does; what it does not say comes from libpq's own defaults and variables.
    init(_ address: String) {
        guard let parsed = PQconninfoParse(address, nil) else { return }
        var parts = Self.parts(PQconndefaults())
        parts.merge(Self.parts(parsed)) { $1 }
        user = parts["user"] ?? ""
        database = parts["dbname"] ?? user
        let names = Self.list(parts["host"] ?? parts["hostaddr"] ?? "")
        let ports = Self.list(parts["port"] ?? "")
        // A password with an unescaped '@', '/' or ':' ends in the host, the port or the database: then nothing is
        // shown.
        isKnown =
            names.allSatisfy(Self.isHost) && ports.allSatisfy { $0.allSatisfy(\.isNumber) } && Self.isName(database)
            && Self.isName(user, besides: "@")
        hosts = names.enumerated().map { index, name in
            let port = ports.count == 1 ? ports[0] : index < ports.count ? ports[index] : ""
            let shown = name.contains(":") ? "[\(name)]" : name
            return port.isEmpty || port == Self.standardPort || name.hasPrefix("/") ? shown : "\(shown):\(port)"
        }
    }

    /// `postgres://user@host/database`.
    var address: String {
        guard isKnown else { return "the PostgreSQL of the setting database" }
        if hosts.contains(where: { $0.hasPrefix("/") }) {
            return "postgres://\(user)@/\(database)?host=\(hosts.joined(separator: ","))"
        }
        return "postgres://\(user)@\(hosts.joined(separator: ","))/\(database)"
    }

    private static func parts(_ options: UnsafeMutablePointer<PQconninfoOption>?) -> [String: String] {
        guard let options else { return [:] }
        defer { PQconninfoFree(options) }
        var parts: [String: String] = [:]
        var option = options
        while let keyword = option.pointee.keyword.map({ String(cString: $0) }) {
            if ["host", "hostaddr", "port", "dbname", "user"].contains(keyword), let value = option.pointee.val {
                parts[keyword] = String(cString: value)
            }
            option += 1
        }
        return parts
    }

    private static func list(_ text: String) -> [String] {
        text.isEmpty ? [] : text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    }

    private static func isHost(_ text: String) -> Bool {
        text.hasPrefix("/")
            ? isName(text, besides: "/:")
            : text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F } && !text.contains { "@/?#%\"' ".contains($0) }
    }

    private static func isName(_ text: String, besides allowed: String = "") -> Bool {
        text.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F }
            && !text.contains { "@/:?= ".contains($0) && !allowed.contains($0) }
    }
}
