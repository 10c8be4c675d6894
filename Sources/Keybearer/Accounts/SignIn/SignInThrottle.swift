import Synchronization

/// Slows down guessing of passwords, by account and by client network.
///
/// After five failures for an account each further one doubles a wait from 1 s to 15 min; for a network the same begins
/// after twenty. Whatever costs a hash of a password counts, unless it succeeds or a fault of ours ends it. Kept in
/// memory, bounded, and forgotten after an hour without failures. To free one that is guessed at sooner, 25,000 other
/// accounts or networks must fail between two guesses at it; once it has failed five times, each of them at least five
/// times. What is counted for an account is counted for unknown ones too, so that it does not tell which exist.
final class SignInThrottle: Sendable {
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

    /// Counts an attempt as a failure before the password is looked at, so that many at the same time cannot slip
    /// through together, and keeps it counted unless it turns out to be none.
    ///
    /// - Parameters:
    ///   - account: whose password is tried, in any spelling; nil where no account could have the address that was
    ///     given, and for what costs a hash without trying a password.
    ///   - clears: whether a success is to make the failures of the account forgotten.
    ///   - attempt: looks at the password. When it answers, the failures of the account are forgotten and those of the
    ///     network stay, less this attempt. When it throws `UNAVAILABLE`, `INTERNAL_ERROR` or an error that is no
    ///     ``KeybearerError``, such as the hash function's, the failure was ours: the attempt was none. Any other
    ///     ``KeybearerError`` is a failure, and so is a cancellation: who leaves early must not guess for free.
    /// - Throws: `RATE_LIMITED` with how long to wait; what `attempt` throws.
    func attempt<Value>(
        _ account: EmailAddress?, from address: IPAddress, clears: (Value) -> Bool = { _ in true },
        _ attempt: () async throws -> Value
    ) async throws -> Value {
        let network = Subject.network(address.throttlingNetwork)
        let subjects = (account.map { [Subject.account($0.throttlingForm)] } ?? []) + [network]
        let begun = try begin(subjects)
        do {
            let value = try await attempt()
            let isCleared = clears(value)
            records.withLock { records in
                for subject in subjects {
                    if isCleared, subject != network { records.remove(subject) } else { records.takeBack(subject) }
                }
            }
            return value
        } catch {
            let isOurs =
                (error as? KeybearerError).map { [.unavailable, .internalError].contains($0.code) }
                ?? !(error is CancellationError)
            records.withLock { records in
                for subject in subjects {
                    if isOurs { records.takeBack(subject) } else { records.fail(subject, begun: begun) }
                }
            }
            throw error
        }
    }

    /// - Returns: when the attempt began.
    private func begin(_ subjects: [Subject]) throws(KeybearerError) -> SteadyTime {
        let now = clocks.steady()
        let wait = records.withLock { records -> Duration in
            let waits = subjects.map { subject in
                records.record(of: subject, at: now).map {
                    Self.wait(for: $0, free: subject.freeFailures, at: now)
                } ?? .zero
            }
            let longest = waits.max() ?? .zero
            if longest == .zero { for subject in subjects { records.begin(subject, at: now) } }
            return longest
        }
        guard wait == .zero else {
            throw KeybearerError(
                .rateLimited, "Too many attempts. Wait \(wait.secondsRoundedUp) seconds and try again.",
                retryAfter: wait)
        }
        return now
    }

    private static func wait(for record: FailureTable<Subject>.Record, free: Int, at now: SteadyTime) -> Duration {
        guard record.failures >= free else { return .zero }
        let delay = min(longestWait, .seconds(1 << min(record.failures - free, 10)))
        return max(.zero, delay - record.lastFailureAt.duration(to: now))
    }
}
