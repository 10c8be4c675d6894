import Crypto
import CryptoExtras
import Dispatch
import Foundation
import Synchronization

/// Hashes and checks passwords with scrypt, in the PHC form `$scrypt$ln=17,r=8,p=1$salt$hash`.
///
/// One hash takes 128 MiB and some tenths of a second on purpose. At most two run at the same time, on threads of their
/// own, and at most ``queueLimit`` wait: a flood of sign-ins can neither exhaust memory nor hold up other requests.
package final class PasswordHasher: Sendable {
    /// The lowest cost that `serve` accepts, as the exponent of scrypt's N: 2^17.
    package static let productionCost = 17
    static let blockSize = 8
    static let queueLimit = 64

    private let cost: Int
    private let random: RandomSource
    private let lanes = [DispatchQueue(label: "keybearer.password.0"), DispatchQueue(label: "keybearer.password.1")]
    private let waiting = Lock((count: 0, next: 0))
    /// The highest cost that any password here was hashed at.
    private let ceiling: Atomic<Int>
    /// The rounds of scrypt that were derived so far.
    private let rounds = Atomic<Int>(0)
    private let metrics: NodeMetrics

    /// - Parameter cost: the exponent of scrypt's N, 10 to 20.
    package convenience init(cost: Int, random: RandomSource) {
        self.init(cost: cost, random: random, metrics: .off)
    }

    init(cost: Int, random: RandomSource, metrics: NodeMetrics) {
        self.metrics = metrics
        self.cost = min(max(cost, 10), 20)
        ceiling = Atomic(min(max(cost, 10), 20))
        self.random = random
    }

    /// A new hash of a password, with a salt of its own.
    ///
    /// - Throws: `UNAVAILABLE` when too many wait.
    package func hash(_ password: Password) async throws -> String {
        let salt = random.bytes(16)
        let cost = cost
        return try await onLane { [self] in
            let key = try derive(password, salt: salt, cost: cost)
            return "$scrypt$ln=\(cost),r=\(Self.blockSize),p=1$\(Self.encode(salt))$\(Self.encode(key))"
        }
    }

    /// Takes in that passwords were hashed at this cost once: checks take as long from now on.
    func recordCost(_ cost: Int) {
        ceiling.max(min(cost, 20), ordering: .relaxed)
    }

    /// Whether no more hashes may wait now.
    var isFull: Bool { waiting.withLock { $0.count >= Self.queueLimit } }

    /// How many are hashed or wait for it.
    var waitingCount: Int { waiting.withLock { $0.count } }

    /// The rounds of scrypt that were derived so far, 2^cost for each hash: what time measures, without its noise.
    package var roundsDerived: Int { rounds.load(ordering: .relaxed) }

    /// The costs of all hashes that a check derives: the first is compared with the stored one, the result of the
    /// others is dropped. They make 2^ceiling rounds together, whatever is stored.
    ///
    /// - Parameter storedCost: the cost of the stored hash; nil where there is none.
    package static func work(forStoredCost storedCost: Int?, ceiling: Int) -> [Int] {
        guard let storedCost, storedCost < ceiling else { return [storedCost ?? ceiling] }
        // 2^cost and 2^cost + … + 2^(ceiling − 1) make 2^ceiling.
        return [storedCost] + Array(storedCost..<ceiling)
    }

    /// Whether a hash was made at a lower cost than new ones are.
    func isBelowCost(_ hash: String) -> Bool { Self.parse(hash).map { $0.cost < cost } ?? false }

    /// Whether a password belongs to a hash, with the parameters that the hash names.
    ///
    /// It takes as long for every account, known or not: what a hash of a lower cost saves is spent on hashes whose
    /// result nobody looks at. Otherwise time would tell, after the cost was raised, who has an account.
    ///
    /// - Throws: `UNAVAILABLE` when too many wait; `INTERNAL_ERROR` when the hash is malformed.
    package func verify(_ password: Password, against hash: String) async throws -> Bool {
        guard let (cost, salt, expected) = Self.parse(hash) else {
            throw KeybearerError(.internalError, "A stored password could not be read.")
        }
        recordCost(cost)
        let costs = Self.work(forStoredCost: cost, ceiling: ceiling.load(ordering: .relaxed))
        return try await onLane { [self] in
            let isRight = constantTimeEquals(try derive(password, salt: salt, cost: cost), expected)
            for dropped in costs.dropFirst() { _ = try derive(password, salt: salt, cost: dropped) }
            return isRight
        }
    }

    /// Takes as long as a check of a real hash: so that an unknown address answers no sooner than a known one.
    func verifyNothing(_ password: Password) async throws {
        let salt = random.bytes(16)
        let costs = Self.work(forStoredCost: nil, ceiling: ceiling.load(ordering: .relaxed))
        try await onLane { [self] in
            for cost in costs { _ = try derive(password, salt: salt, cost: cost) }
        }
    }

    /// Runs work on one of the two lanes, where it waits for its turn.
    func onLane<Result: Sendable>(_ work: @escaping @Sendable () throws -> Result) async throws -> Result {
        let lane = waiting.withLock { waiting -> DispatchQueue? in
            guard waiting.count < Self.queueLimit else { return nil }
            waiting.count += 1
            waiting.next = (waiting.next + 1) % lanes.count
            return lanes[waiting.next]
        }
        guard let lane else {
            metrics.recordHash(nil)
            throw KeybearerError(.unavailable, "Too many sign-ins at once. Try again in a few seconds.")
        }
        let begun = ContinuousClock.now
        defer {
            waiting.withLock { $0.count -= 1 }
            metrics.recordHash(ContinuousClock.now - begun)
        }
        return try await withCheckedThrowingContinuation { continuation in
            lane.async { continuation.resume(with: Swift.Result(catching: work)) }
        }
    }

    private func derive(_ password: Password, salt: [UInt8], cost: Int) throws -> [UInt8] {
        rounds.add(1 << cost, ordering: .relaxed)
        let key = try KDF.Scrypt.deriveKey(
            from: Array(password.characters.utf8), salt: salt, outputByteCount: 32, rounds: 1 << cost,
            blockSize: Self.blockSize, parallelism: 1)
        return key.withUnsafeBytes { Array($0) }
    }

    private static func encode(_ bytes: [UInt8]) -> String {
        Data(bytes).base64EncodedString().replacing("=", with: "")
    }

    private static func decode(_ text: some StringProtocol) -> [UInt8]? {
        let padding = String(repeating: "=", count: (4 - text.utf8.count % 4) % 4)
        return Data(base64Encoded: text + padding).map { [UInt8]($0) }
    }

    private static func parse(_ hash: String) -> (cost: Int, salt: [UInt8], key: [UInt8])? {
        let parts = hash.split(separator: "$")
        guard parts.count == 4, parts[0] == "scrypt", let salt = decode(parts[2]), let key = decode(parts[3]) else {
            return nil
        }
        let suffix = ",r=\(blockSize),p=1"
        guard parts[1].hasPrefix("ln="), parts[1].hasSuffix(suffix) else { return nil }
        guard let cost = Int(parts[1].dropFirst(3).dropLast(suffix.count)), (10...20).contains(cost), key.count == 32
        else { return nil }
        return (cost, salt, key)
    }
}
