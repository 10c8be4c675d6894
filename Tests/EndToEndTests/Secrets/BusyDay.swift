import Foundation
import GRDB
import TestSupport
import Testing

/// Every secret that a test has used, and everything that was written meanwhile.
final class SecretLog {
    private let files: InstallationFiles
    private var secrets: [(name: String, bytes: [UInt8])] = []
    private var records = ""

    init(files: InstallationFiles) {
        self.files = files
    }

    /// Keeps a secret to look for.
    func record(_ name: String, bytes: [UInt8]) {
        if !secrets.contains(where: { $0.bytes == bytes }) { secrets.append((name, bytes)) }
    }

    /// Keeps a secret to look for; gives it back.
    @discardableResult
    func record(_ name: String, _ text: String) -> String {
        record(name, bytes: Array(text.utf8))
        return text
    }

    /// Runs a command and keeps what it says on standard error. What it prints on standard output was asked for.
    @discardableResult
    func run(_ words: String..., stdin: String = "", expecting status: Int32 = 0) throws -> String {
        let result = try CommandRunner.run(words + files.flags, stdin: stdin)
        #expect(result.status == status, "\(words): \(result.stderr)")
        records += result.stderr
        try records.write(toFile: files.directory.file("commands.err"), atomically: true, encoding: .utf8)
        return String(result.stdout.prefix { $0 != "\n" })
    }

    /// All files of the deployment but the one that is there to hold secrets.
    func filesToSearch() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: files.directory.path).map(files.directory.file)
            .filter { $0 != files.masterKeys }
    }

    func search() -> SecretSearch { SecretSearch(secrets) }

    /// How much was looked for and where.
    var summary: String {
        let paths = (try? filesToSearch()) ?? []
        let size = paths.reduce(0) { sum, path in
            let attributes = try? FileManager.default.attributesOfItem(atPath: path)
            return sum + ((attributes?[.size] as? NSNumber)?.intValue ?? 0)
        }
        return "\(secrets.count) secrets in \(SecretSearch.Encoding.allCases.count) encodings, in \(paths.count) files "
            + "of \(size / 1_024) KiB, none found"
    }
}

/// What happens on a server in use, mistakes included, with every secret noted.
struct BusyDay {
    let files: InstallationFiles
    let port: Int
    let log: SecretLog
    /// Tells the accounts of one run from those of another.
    let name: String

    private var email: String { "grace-\(name)@example.com" }

    func run() throws {
        let browser = try Browser(port: port)
        let password = log.record("a password", "\(name) horse battery staple")
        try browser.signUp(name: "Grace", email: email, password: password)
        log.record("a session token", try #require(browser.token))
        try mistakesAtSignIn(password)
        let page = try browser.keyPage()
        try log.run("workspace", "set-plan", String(page.split(separator: "/")[1]), "pro")
        let first = log.record("a key", try browser.reveal(page: page))
        try apiRequests(first)
        #expect(try browser.post("\(page)/regenerate").status == 303)
        let second = log.record("a key", try browser.reveal(page: page))
        #expect(try browser.get(page).status == 200)
        let third = log.record("a key", try regenerateByAPI(second))
        try apiRequests(third)
        try commands()
        try passwordChange(browser, password)
        try faults(browser, page)
    }

    private func mistakesAtSignIn(_ password: String) throws {
        let browser = try Browser(port: port)
        let wrong = log.record("a wrong password", "wrong \(name) horse battery")
        #expect(try browser.post("/sign-in", [("email", email), ("password", wrong)]).status == 401)
        // The password in the wrong field, and a form that is refused.
        #expect(try browser.post("/sign-in", [("email", password), ("password", wrong)]).status == 401)
        let short = [("name", ""), ("email", "nobody"), ("password", password)]
        #expect(try browser.post("/sign-up", short).status == 422)
        try browser.signIn(email: email, password: password)
        log.record("a session token", try #require(browser.token))
        #expect(try browser.post("/confirm", [("password", password)]).status == 303)
        log.record("a session token", try #require(browser.token))
        #expect(try browser.post("/sign-out").status == 303)
    }

    /// Good requests, and the mistakes that clients make with a key.
    private func apiRequests(_ key: String) throws {
        let connection = try RawConnection(port: port)
        func status(_ method: String, _ path: String, _ headers: [(String, String)], body: String? = nil) throws -> Int
        {
            try connection.roundTrip(RawRequest.text(method, path, headers: headers, body: body)).status
        }
        let bearer = [("Authorization", "Bearer \(key)")]
        #expect(try status("GET", "/api/v1/me", bearer) == 200)
        #expect(try status("GET", "/api/v1/me?key=\(key)", bearer) == 200)
        #expect(try status("GET", "/api/v1/me?key=\(key)", []) == 401)
        #expect(try status("GET", "/api/v1/\(key)", bearer) == 404)
        #expect(try status("GET", "/\(key)", []) == 303)
        #expect(try status("DELETE", "/api/v1/me", bearer) == 405)
        #expect(try status("GET", "/api/v1/me", bearer + bearer) == 401)
        #expect(try status("GET", "/api/v1/me", [("Authorization", "Basic \(key)")]) == 401)
        #expect(try status("GET", "/api/v1/me", [("Authorization", key)]) == 401)
        #expect(try status("GET", "/api/v1/me", [("X-Api-Key", key)]) == 401)
        #expect(try status("GET", "/api/v1/me", bearer + [("X-Workspace-Id", key)]) == 400)
        #expect(try status("POST", "/api/v1/key/regenerate", bearer, body: key) == 415)
        let json = bearer + [("Content-Type", "application/json")]
        #expect(try status("POST", "/api/v1/key/regenerate", json, body: #"{"\#(key)": 1}"#) == 422)
        for wrong in wrongKeys(like: key) {
            log.record("a wrong key", wrong)
            #expect(try status("GET", "/api/v1/me", [("Authorization", "Bearer \(wrong)")]) == 401)
        }
        // Refused before there is a request: a header block that is too large, and no HTTP at all.
        let large = try RawConnection(port: port)
        let padding = String(repeating: "a", count: 40_000)
        let oversized = RawRequest.text("GET", "/", headers: bearer + [("X-Padding", padding)])
        #expect(try large.roundTrip(oversized).status >= 400)
        let malformed = try RawConnection(port: port)
        #expect(try malformed.roundTrip("Bearer \(key)\r\n\r\n").status == 400)
    }

    /// Almost the key: one with another end, one with another middle, one cut short.
    private func wrongKeys(like key: String) -> [String] {
        let middle = key.index(key.startIndex, offsetBy: 20)
        let other = key[middle] == "a" ? "b" : "a"
        return [
            String(key.dropLast()) + (key.last == "a" ? "b" : "a"),
            key.replacingCharacters(in: middle...middle, with: other), String(key.dropLast(4)), key + "0",
        ]
    }

    private func regenerateByAPI(_ key: String) throws -> String {
        let request = RawRequest.text(
            "POST", "/api/v1/key/regenerate",
            headers: [("Authorization", "Bearer \(key)"), ("Content-Type", "application/json")], body: "{}")
        let response = try RawConnection(port: port).roundTrip(request)
        return try #require(response.data?["key"] as? String)
    }

    private func commands() throws {
        log.record("a key", try log.run("key", "show", email))
        log.record("a key", try log.run("key", "regenerate", email))
        log.record("a key", try log.run("key", "show", "ada@example.com"))
        let other = "linus-\(name)@example.com"
        log.record(
            "a generated password", try log.run("user", "create", other, "--name", "Linus", "--generate-password"))
        log.record("a key", try log.run("key", "show", other))
        let chosen = log.record("a password", "penguins in \(name) and out")
        try log.run("user", "set-password", other, "--password-stdin", stdin: chosen + "\n")
        let refused = log.record("a refused password", "linus-\(name)@example.com".uppercased())
        try log.run("user", "set-password", other, "--password-stdin", stdin: refused + "\n", expecting: 65)
        try log.run("user", "create", other, "--name", "Linus", "--password-stdin", stdin: chosen + "\n", expecting: 65)
        try log.run("user", "list")
        try log.run("user", "disable", other)
        try log.run("user", "enable", other)
        try log.run("key", "show", "--metadata", other)
    }

    private func passwordChange(_ browser: Browser, _ password: String) throws {
        let new = log.record("a new password", "\(name) staple battery horse")
        let wrong = [("currentPassword", new), ("newPassword", password)]
        #expect(try browser.post("/account/password", wrong).status == 422)
        let right = [("currentPassword", password), ("newPassword", new)]
        #expect(try browser.post("/account/password", right).status == 303)
    }

    /// A sealed key that was damaged in the file: the log must say what failed, and nothing of the key.
    private func faults(_ browser: Browser, _ page: String) throws {
        var configuration = Configuration()
        // The server writes too, and GRDB gives up immediately by itself.
        configuration.busyMode = .timeout(5)
        let file = try DatabaseQueue(path: files.database, configuration: configuration)
        try file.write { db in
            try db.execute(
                sql: """
                    UPDATE api_keys SET box = randomblob(length(box))
                    WHERE user_id = (SELECT id FROM users WHERE email = ?)
                    """,
                arguments: [email])
        }
        try file.close()
        #expect(try browser.post("\(page)/reveal", wantsJSON: true).status == 500)
    }
}
