import Foundation
import TestSupport
import Testing

/// Random numbers from a seed. Every input has a seed of its own, so that one can be replayed without those before it.
struct FuzzNumbers {
    private var numbers: SplitMix64

    init(seed: UInt64) {
        numbers = SplitMix64(seed: seed &* 0xD134_2543_DE82_EF95)
    }

    mutating func next() -> UInt64 { numbers.next() }

    /// A number from 0 to below a bound.
    mutating func below(_ bound: Int) -> Int { Int(truncatingIfNeeded: next() >> 33) % bound }

    /// Whether something happens that happens once in so many times.
    mutating func once(in times: Int) -> Bool { below(times) == 0 }

    /// One of several.
    mutating func pick<Item>(_ items: [Item]) -> Item { items[below(items.count)] }

    /// Now and then changes a few bytes: replaces, inserts, removes, repeats, cuts.
    mutating func mutate(_ bytes: inout [UInt8], onceIn times: Int) {
        guard once(in: times) else { return }
        for _ in 0...below(3) where !bytes.isEmpty {
            let place = below(bytes.count)
            switch below(6) {
            case 0, 1: bytes[place] = UInt8(truncatingIfNeeded: next())
            case 2: bytes.insert(UInt8(truncatingIfNeeded: next()), at: place)
            case 3: bytes.removeSubrange(place..<min(bytes.count, place + 1 + below(8)))
            case 4: bytes.insert(contentsOf: bytes[place..<min(bytes.count, place + 1 + below(16))], at: place)
            default: bytes.removeSubrange(place...)
            }
        }
    }
}

/// Makes inputs and checks what becomes of them. A failure names the input and its seed:
///
///     KEYBEARER_TEST_FUZZ_SEED=123 swift test --filter FuzzTests
///
/// prints and checks that input of every target. Where the process dies, the seeds of the inputs that it was at are in the
/// files of the folder `KEYBEARER_TEST_FUZZ_DIRECTORY`, or of `keybearer-fuzz-<process>` among the temporary ones.
enum Fuzzer {
    private static let environment = ProcessInfo.processInfo.environment
    static let isLong = environment["KEYBEARER_TEST_LONG"] != nil
    /// Whether one input alone is checked, which need not be of any kind.
    static var isReplaying: Bool { replayed != nil }
    private static let replayed = environment["KEYBEARER_TEST_FUZZ_SEED"].flatMap { UInt64($0) }
    private static let directory =
        environment["KEYBEARER_TEST_FUZZ_DIRECTORY"]
        ?? FileManager.default.temporaryDirectory
        .appendingPathComponent("keybearer-fuzz-\(ProcessInfo.processInfo.processIdentifier)").path

    /// The seeds of each of a target's test cases, which run beside each other.
    ///
    /// - Parameters:
    ///   - short: how many inputs `make test` checks: about 30 seconds, with all targets beside each other.
    ///   - long: how many `make test-long` does.
    static func cases(short: UInt64, long: UInt64 = 10_000_000) -> [Range<UInt64>] {
        if let replayed { return [replayed..<replayed + 1] }
        let count = isLong ? long : short
        let parts: UInt64 = isLong ? 100 : 2
        return (0..<parts).map { $0 * count / parts..<($0 + 1) * count / parts }
    }

    /// The seeds of hostile connections.
    static let connections: Range<UInt64> =
        replayed.map { $0..<$0 + 32 } ?? 0..<(isLong ? 100_000 : 2_500)

    /// A file with the seed of the input that a target is at.
    static func mark(_ target: String, _ part: UInt64) throws -> SeedMark {
        try SeedMark(file: "\(target)-\(part)", in: directory)
    }

    /// Checks the inputs of some seeds, up to the first failure.
    ///
    /// - Parameters:
    ///   - make: makes an input.
    ///   - check: says what is wrong with what became of it; nil when nothing is.
    static func run(
        _ target: String, _ seeds: Range<UInt64>, make: (inout FuzzNumbers) -> [UInt8],
        check: ([UInt8]) async -> String?
    ) async throws {
        let mark = try mark(target, seeds.lowerBound)
        defer { mark.remove() }
        for seed in seeds {
            mark.set(seed)
            var numbers = FuzzNumbers(seed: seed)
            let input = make(&numbers)
            if replayed != nil { print("\(target), seed \(seed): \(hex(input))") }
            if let problem = await check(input) {
                Issue.record("\(target), seed \(seed), input \(hex(input)): \(problem)")
                return
            }
            // Other tests wait for the same few threads.
            if seed % 512 == 0 { await Task.yield() }
        }
    }

    static func hex(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    /// Calls `body` with a copy that has not one byte more, so that AddressSanitizer sees a read beyond it.
    static func exactly<Result>(_ bytes: some Collection<UInt8>, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
        defer { copy.deallocate() }
        copy.copyBytes(from: bytes)
        return body(UnsafeRawBufferPointer(copy))
    }
}

/// A file that holds the seed of the input that is checked, and keeps it when the process dies: it is mapped into memory.
struct SeedMark: Sendable {
    private let path: String
    // Safe: each file has one task that writes it.
    nonisolated(unsafe) private let memory: UnsafeMutableRawPointer

    private struct NotMapped: Error {}

    init(file: String, in directory: String) throws {
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        path = "\(directory)/\(file)"
        guard FileManager.default.createFile(atPath: path, contents: Data("00000000000000000000\n".utf8)) else {
            throw NotMapped()
        }
        let descriptor = open(path, O_RDWR)
        guard descriptor >= 0, let memory = mmap(nil, 21, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0),
            memory != MAP_FAILED
        else { throw NotMapped() }
        close(descriptor)
        self.memory = memory
    }

    func set(_ seed: UInt64) {
        var rest = seed
        for place in stride(from: 19, through: 0, by: -1) {
            memory.storeBytes(of: 48 + UInt8(truncatingIfNeeded: rest % 10), toByteOffset: place, as: UInt8.self)
            rest /= 10
        }
    }

    func remove() {
        munmap(memory, 21)
        unlink(path)
        rmdir(URL(fileURLWithPath: path).deletingLastPathComponent().path)
    }
}
