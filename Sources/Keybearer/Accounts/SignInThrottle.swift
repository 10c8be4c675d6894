import Synchronization

/// Slows down guessing of passwords, by account and by client address.
///
/// After five failures for an account each further one doubles a wait from 1 s to 15 min; for an address the same
/// begins after twenty. Kept in memory, bounded, and forgotten after an hour without failures. To free one that is guessed
/// at sooner, 25,000 other accounts or networks must fail between two guesses at it; once it has failed five times, each
/// of them at least five times. What is counted for an account is counted for unknown ones too, so that it does not tell
/// which exist.
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

    private static let memory: Duration = .seconds(3_600)
    private static let longestWait: Duration = .seconds(900)

    private let clocks: Clocks
    private let records: Lock<FailureTable<Subject>>

    /// - Parameter capacity: how many accounts and networks are remembered at most.
    init(clocks: Clocks, capacity: Int = 50_000) {
        self.clocks = clocks
        records = Lock(FailureTable(capacity: capacity, memory: Self.memory))
    }

    /// Counts an attempt before the password is looked at, so that many at once cannot slip through together.
    ///
    /// - Throws: `RATE_LIMITED` with how long to wait.
    func begin(account: EmailAddress, address: IPAddress) throws(KeybearerError) {
        let now = clocks.steady()
        let subjects = [Subject.account(account), .network(address.throttlingNetwork)]
        let wait = records.withLock { records -> Duration in
            let waits = subjects.map { subject in
                records.record(of: subject, at: now).map {
                    Self.wait(for: $0, free: subject.freeFailures, at: now)
                } ?? .zero
            }
            let longest = waits.max() ?? .zero
            if longest == .zero { for subject in subjects { records.count(subject, at: now) } }
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
            records.forget(.account(account))
            records.takeBack(.network(address.throttlingNetwork))
        }
    }

    private static func wait(for record: FailureTable<Subject>.Record, free: Int, at now: SteadyTime) -> Duration {
        guard record.failures >= free else { return .zero }
        let delay = min(longestWait, .seconds(1 << min(record.failures - free, 10)))
        return max(.zero, delay - record.lastFailureAt.duration(to: now))
    }
}
