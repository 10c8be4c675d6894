import Foundation

/// What is measured in process, without the network: `make bench` runs it, and puts what it prints into the results.
///
///     VerificationBenchmark                      one verification, two threads, floods
///     VerificationBenchmark load DIRECTORY N     adds N accounts to the database of a demonstration
///     VerificationBenchmark accounts DIRECTORY N memory and speed with N of them remembered
@main
struct VerificationBenchmark {
    static func main() async throws {
        let arguments = Array(CommandLine.arguments.dropFirst())
        switch (arguments.first, arguments.count) {
        case (nil, _):
            let directory = FileManager.default.temporaryDirectory.appendingPathComponent(
                "keybearer-\(UUID().uuidString)")
            try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(at: directory) }
            try await measureSmall(AccountFile(directory: directory.path))
        case ("load", 3):
            guard let count = Int(arguments[2]) else { throw Misuse() }
            try await AccountFile(directory: arguments[1]).add(count)
        case ("accounts", 3):
            guard let count = Int(arguments[2]) else { throw Misuse() }
            try await ManyAccounts.measure(AccountFile(directory: arguments[1]), count: count)
        default: throw Misuse()
        }
    }

    private static func measureSmall(_ file: AccountFile) async throws {
        try file.create()
        try await file.add(1_000)
        let node = try Node(file)
        try await node.run {
            let tokens = try file.tokens()
            try await OneVerification.measure(node, token: tokens[0])
            try await TwoThreads.measure(node, tokens: tokens)
            try await Floods.measure(node)
        }
    }

    struct Misuse: Error {}
}
