import Foundation
import Keybearer
import Synchronization
import TestSupport
import Testing

/// What was asked of a server and what it has answered, over all its restarts.
final class WriteLedger: Sendable {
    /// An account's key as a client knows it.
    struct Key: Sendable {
        let characters: String
        /// How often it was made again, the first time included.
        let version: Int
        /// The idempotency key of a regenerate that was sent and not answered.
        var unansweredRequest: String?
    }

    /// A workspace's plan as a client knows it.
    struct Plan: Sendable {
        let id: String
        /// The plan of a change that was sent and not answered.
        var unanswered: String?
    }

    private struct State {
        var attempted: Set<String> = []
        var acknowledged: Set<String> = []
        var keys: [String: Key] = [:]
        var plans: [String: Plan] = [:]
        var responses: [String: Int] = [:]
    }
    private let state = Lock(State())

    /// The accounts that were asked for, and those that were answered.
    var accounts: (attempted: Set<String>, acknowledged: Set<String>) {
        state.withLock { ($0.attempted, $0.acknowledged) }
    }

    func key(of email: String) -> Key? { state.withLock { $0.keys[email] } }

    func plan(of email: String) -> Plan? { state.withLock { $0.plans[email] } }

    func attemptAccount(_ email: String) {
        state.withLock { _ = $0.attempted.insert(email) }
    }

    func acknowledgeAccount(_ email: String, by way: String) {
        state.withLock { state in
            state.acknowledged.insert(email)
            state.responses["accounts by \(way)", default: 0] += 1
        }
    }

    func attemptKey(of email: String, request: String) {
        state.withLock { $0.keys[email]?.unansweredRequest = request }
    }

    func acknowledgeKey(_ characters: String, of email: String) {
        state.withLock { state in
            state.keys[email] = Key(characters: characters, version: (state.keys[email]?.version ?? 0) + 1)
            state.responses["keys", default: 0] += 1
        }
    }

    func attemptPlan(_ id: String, of email: String) {
        state.withLock { $0.plans[email]?.unanswered = id }
    }

    func acknowledgePlan(_ id: String, of email: String) {
        state.withLock { state in
            state.plans[email] = Plan(id: id)
            state.responses["plans", default: 0] += 1
        }
    }

    /// How much was answered.
    var summary: String {
        state.withLock { state in
            let counts = state.responses.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }
            return "answered: " + counts.joined(separator: ", ")
        }
    }
}

/// Writes to one server until it is gone. Each function is the work of one thread.
final class Writers: @unchecked Sendable {
    private let port: Int
    private let files: InstallationFiles
    private let ledger: WriteLedger
    private let run = UUID().uuidString.prefix(8).lowercased()
    // Everything below is under the condition's lock.
    private let condition = NSCondition()
    private var responses = 0
    private var commandResponses = 0
    private var made = 0
    private var killBeganAt: MonotonicTime?
    private var unanswered: [MonotonicTime] = []
    private var command: RunningCommand?

    init(port: Int, files: InstallationFiles, ledger: WriteLedger) {
        self.port = port
        self.files = files
        self.ledger = ledger
    }

    /// Waits until so many writes have been answered.
    ///
    /// - Parameter includingCommand: whether one of them has to be a command's, which takes far longer than the others.
    func waitForResponses(_ count: Int, includingCommand: Bool) {
        let deadline = Date().addingTimeInterval(60)
        condition.withLock {
            while responses < count || (includingCommand && commandResponses == 0) {
                guard condition.wait(until: deadline) else {
                    Issue.record("the writers stand still")
                    return
                }
            }
        }
    }

    /// From now on the server is being killed.
    func killBegins() {
        condition.withLock { killBeganAt = .now() }
    }

    /// Kills the command that runs beside the server.
    func killCommand() {
        condition.withLock { command }?.kill9()
    }

    /// How many writes had been sent in full before the kill began and were never answered.
    var unansweredAtKill: Int {
        condition.withLock {
            guard let killBeganAt else { return 0 }
            return unanswered.count { $0 < killBeganAt }
        }
    }

    /// Makes accounts by the sign-up form.
    func signUps() throws {
        let connection = try RawConnection(port: port)
        let form = try Browser(port: port)
        while true {
            let email = nextEmail("form")
            ledger.attemptAccount(email)
            let request = form.postText(
                "/sign-up", [("name", "Writer"), ("email", email), ("password", "correct horse battery")])
            guard try write(request, on: connection, expecting: 303) != nil else { return }
            ledger.acknowledgeAccount(email, by: "form")
            responded()
        }
    }

    /// Regenerates a key by the API, each time with the key before.
    func regenerates(_ email: String) throws {
        let connection = try RawConnection(port: port)
        while true {
            let key = try #require(ledger.key(of: email)).characters
            let request = UUID().uuidString
            ledger.attemptKey(of: email, request: request)
            let text = RawRequest.text(
                "POST", "/api/v1/key/regenerate",
                headers: [("Authorization", "Bearer \(key)"), ("Idempotency-Key", request)], body: "")
            guard let response = try write(text, on: connection, expecting: 200) else { return }
            ledger.acknowledgeKey(try #require(response.data?["key"] as? String), of: email)
            responded()
        }
    }

    /// Moves a workspace between two plans by the page's form.
    func planSwitches(_ holder: KeyHolder) throws {
        let connection = try RawConnection(port: port)
        let form = try Browser(port: port, token: holder.token)
        let path = holder.page.replacingOccurrences(of: "/api-webhooks", with: "/plan")
        while true {
            let plan = ledger.plan(of: holder.email)?.id == "pro" ? "free" : "pro"
            ledger.attemptPlan(plan, of: holder.email)
            guard try write(form.postText(path, [("planID", plan)]), on: connection, expecting: 303) != nil else {
                return
            }
            ledger.acknowledgePlan(plan, of: holder.email)
            responded()
        }
    }

    /// Makes accounts by command, until the command is killed with the server.
    func commands() throws {
        while condition.withLock({ killBeganAt == nil }) {
            let email = nextEmail("command")
            ledger.attemptAccount(email)
            let running = try CommandRunner.start(
                ["user", "create", email, "--name", "Writer", "--password-stdin"] + files.flags,
                stdin: "correct horse battery\n")
            condition.withLock { command = running }
            // A kill that came between the look above and here saw no command.
            if condition.withLock({ killBeganAt != nil }) { running.kill9() }
            let result = running.finish()
            condition.withLock { command = nil }
            guard result.status == 0 else {
                #expect(result.status == -9, "\(result.stderr)")
                return
            }
            ledger.acknowledgeAccount(email, by: "command")
            condition.withLock { commandResponses += 1 }
            responded()
        }
    }

    /// Sends one write.
    ///
    /// - Returns: the answer; nil when the server was gone before it came.
    private func write(_ request: String, on connection: RawConnection, expecting status: Int) throws -> RawResponse? {
        let sent: RawConnection.SendTimes
        do {
            sent = try connection.send(request)
        } catch RawConnection.Failure.closed {
            return nil
        }
        do {
            let response = try connection.receive()
            #expect(response.status == status, "\(response.text.prefix(300))")
            return response.status == status ? response : nil
        } catch RawConnection.Failure.closed {
            condition.withLock { unanswered.append(sent.ended) }
            return nil
        }
    }

    private func responded() {
        condition.withLock {
            responses += 1
            condition.broadcast()
        }
    }

    private func nextEmail(_ kind: String) -> String {
        condition.withLock {
            made += 1
            return "\(kind)-\(run)-\(made)@example.com"
        }
    }
}
