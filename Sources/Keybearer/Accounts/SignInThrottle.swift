import Synchronization

/// Slows down guessing of passwords, by account and by client address.
///
/// After five failures for an account each further one doubles a wait from 1 s to 15 min; for an address the same
/// begins after twenty. Kept in memory, bounded, and forgotten after an hour without failures. What is counted for
/// an account is counted for unknown ones too, so that it does not tell which exist.
public final class SignInThrottle: Sendable {
    private enum Subject: Hashable {
        case account(EmailAddress)
        case network(IPAddress)

        var freeFailures: Int {
            switch self {
            case .account: 5
            case .network: 20
            }
        }
    }

    private struct Record {
        var failures: Int
        var lastFailureAt: SteadyTime
    }

    private static let capacity = 50_000
    private static let memory: Duration = .seconds(3_600)
    private static let longestWait: Duration = .seconds(900)

    private let clocks: Clocks
    private let records = Mutex<[Subject: Record]>([:])

    init(clocks: Clocks) {
        self.clocks = clocks
    }

    /// Counts an attempt before the password is looked at, so that many at once cannot slip through together.
    ///
    /// - Throws: `RATE_LIMITED` with how long to wait.
    func begin(account: EmailAddress, address: IPAddress) throws(KeybearerError) {
        let now = clocks.steady()
        let subjects = [Subject.account(account), .network(address.throttlingNetwork)]
        let wait = records.withLock { records -> Duration in
            let waits = subjects.map { subject in
                records[subject].map { Self.wait(for: $0, free: subject.freeFailures, at: now) } ?? .zero
            }
            let longest = waits.max() ?? .zero
            if longest == .zero { for subject in subjects { Self.count(subject, in: &records, at: now) } }
            return longest
        }
        guard wait == .zero else {
            throw KeybearerError(
                .rateLimited, "Too many attempts. Wait \(wait.secondsRoundedUp) seconds and try again.",
                retryAfter: wait)
        }
    }

    /// Forgets the failures of an account after a success. Those of the address stay, less this attempt.
    func succeed(account: EmailAddress, address: IPAddress) {
        records.withLock { records in
            records[.account(account)] = nil
            let network = Subject.network(address.throttlingNetwork)
            if let record = records[network] { records[network]?.failures = max(0, record.failures - 1) }
        }
    }

    private static func wait(for record: Record, free: Int, at now: SteadyTime) -> Duration {
        guard record.failures >= free else { return .zero }
        let delay = min(longestWait, .seconds(1 << min(record.failures - free, 10)))
        return max(.zero, delay - record.lastFailureAt.duration(to: now))
    }

    private static func count(_ subject: Subject, in records: inout [Subject: Record], at now: SteadyTime) {
        if records.count >= capacity {
            records = records.filter { $0.value.lastFailureAt.duration(to: now) < memory }
            if records.count >= capacity, let victim = records.keys.first { records[victim] = nil }
        }
        var record = records[subject] ?? Record(failures: 0, lastFailureAt: now)
        if record.lastFailureAt.duration(to: now) >= memory { record.failures = 0 }
        record.failures += 1
        record.lastFailureAt = now
        records[subject] = record
    }
}
