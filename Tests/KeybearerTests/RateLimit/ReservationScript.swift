import TestSupport
import Testing

@testable import Keybearer

/// Plays a script against a ``ReservationMachine``: one event in a line and, after an arrow, the actions that follow.
///
/// Accounts are named by a letter; `a2` is another state of the account `a`, as after the key cache has dropped one.
/// ```
/// reserve a 1                   somebody, who is called 1, waits for quota of a; the same for: look
/// reserve a 1 20                with a limit of 20 instead of 40
/// prefetch a b                  both will need quota soon
/// fetched a:granted b:refused   the store has returned the batch; or: fetched failed
/// fetching … / proceed          the same in two steps
/// began 1 posted                the first reclaim has begun; or: isOnlyNode, failed
/// looked 1 a:refused            the store was asked again; or: looked 1 failed
/// wait 100                      milliseconds pass
/// stop s, idle i                somebody waits until nothing is under way
/// ```
/// A response is `granted`, `refused` (others may hold some), `exhausted` (nobody does), `seen` (to a look) or
/// `unneeded`.
struct ReservationScript {
    typealias Machine = ReservationMachine<String>

    private var machine = Machine()
    private var accountStates: [String: AccountState] = [:]
    private var now = SteadyTime(nanoseconds: 1_000_000_000)
    private var waiting: Set<String> = []

    /// Plays all lines.
    mutating func play(_ script: String) {
        for line in script.split(separator: "\n") {
            let parts = line.split(separator: "->", omittingEmptySubsequences: false).map {
                $0.trimmingPrefix(while: \.isWhitespace)
            }
            let words = parts[0].split(separator: " ").map(String.init)
            let actions = play(words)
            #expect(actions == parts[1].split(separator: " ").joined(separator: " "), "after \(parts[0])")
        }
        #expect(waiting.isEmpty, "they wait for ever")
    }

    private mutating func play(_ words: [String]) -> String {
        let rest = Array(words.dropFirst())
        switch words[0] {
        case "reserve", "look":
            waiting.insert(rest[1])
            return perform(
                machine.request(
                    words[0] == "look" ? .look : .reserve, for: accountState(rest[0]),
                    limit: rest.count > 2 ? Int(rest[2]) ?? 0 : 40, waiter: rest[1]))
        case "prefetch": return perform(machine.prefetch(rest.map { (accountState($0), 40) }))
        case "fetched": return perform(machine.fetched(responses(rest)))
        case "fetching": return perform(machine.fetched(responses(rest)), proceeds: false)
        case "proceed": return perform(machine.proceed(.fetch))
        case "began": return perform(machine.reclaimBegan(Int(rest[0]) ?? 0, start(rest[1])))
        case "looked":
            let responses = responses(Array(rest.dropFirst())).map { $0.compactMap { $0 } }
            return perform(machine.looked(Int(rest[0]) ?? 0, responses))
        case "wait":
            now = now.advanced(by: .milliseconds(Int(rest[0]) ?? 0))
            return ""
        case "stop", "idle":
            waiting.insert(rest[0])
            return perform(words[0] == "stop" ? machine.stop(rest[0]) : machine.awaitIdle(rest[0]))
        default: return "no such event"
        }
    }

    private mutating func accountState(_ name: String) -> AccountState {
        if let accountState = accountStates[name] { return accountState }
        let accountState = AccountState(userID: UserID(rawValue: String(name.prefix(1))))
        accountStates[name] = accountState
        return accountState
    }

    private func name(_ accountState: AccountState) -> String {
        accountStates.first { $0.value === accountState }?.key ?? "?"
    }

    private mutating func responses(_ words: [String]) -> Result<[QuotaResponse?], any Error> {
        if words == ["failed"] { return .failure(KeybearerError.unavailable()) }
        return .success(
            words.map { word in
                let parts = word.split(separator: ":").map(String.init)
                let userID = accountState(parts[0]).userID
                let reserve = QuotaRequest.reserve(userID, count: 10, limit: 40, life: .seconds(60))
                let request = parts[1] == "seen" ? QuotaRequest.look(userID) : reserve
                let reservation = Reservation(
                    granted: parts[1] == "granted" ? 10 : 0, minute: 0, charged: 10, resets: [],
                    mayBeUnused: parts[1] != "exhausted")
                return parts[1] == "unneeded"
                    ? nil : QuotaResponse(request: request, requestedAt: now, reservation: reservation)
            })
    }

    private func start(_ word: String) -> Result<Machine.ReclaimStart, any Error> {
        switch word {
        case "posted": .success(.posted(now))
        case "isOnlyNode": .success(.isOnlyNode)
        default: .failure(KeybearerError.unavailable())
        }
    }

    private mutating func perform(_ actions: [Machine.Action], proceeds: Bool = true) -> String {
        actions.map { action in
            switch action {
            case .fetch(let pendings): return "fetch " + names(pendings)
            case .accept(_, let pending): return "accept " + name(pending.accountState)
            case .watch(let accountState, let end):
                #expect(end == now.advanced(by: .seconds(60)))
                return "watch " + name(accountState)
            case .proceed(let work): return proceeds ? perform(machine.proceed(work)) : "proceed"
            case .resume(let waiters): return "resume " + end(waiters)
            case .fail(let waiters, _): return "fail " + end(waiters)
            case .reclaim(let id, let userIDs):
                return "reclaim #\(id) " + userIDs.map(\.rawValue).joined(separator: " ")
            case .lookAgain(let id, let pendings): return "look #\(id) " + names(pendings)
            }
        }.filter { !$0.isEmpty }.joined(separator: ", ")
    }

    private func names(_ pendings: [Machine.Pending]) -> String {
        pendings.map { pending in
            let name = name(pending.accountState)
            return switch pending.purpose {
            case .reserve: name
            case .look: "look:" + name
            case .prefetch: "prefetch:" + name
            }
        }.joined(separator: " ")
    }

    private mutating func end(_ waiters: [String]) -> String {
        for waiter in waiters { #expect(waiting.remove(waiter) != nil, "\(waiter) is resumed once") }
        return waiters.joined(separator: " ")
    }
}
