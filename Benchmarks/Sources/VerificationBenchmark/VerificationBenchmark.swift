import Foundation

/// What is measured in process, without the network: `make bench` runs it, and puts what it prints into the results.
///
///     VerificationBenchmark                      one verification, floods
///     VerificationBenchmark threads              two threads against one
///     VerificationBenchmark imported             imported keys beside keys of our own
///     VerificationBenchmark load DIRECTORY N     adds N accounts to the database of a demonstration
///     VerificationBenchmark accounts DIRECTORY N memory and speed with N of them remembered
@main
struct VerificationBenchmark {
    static func main() async throws {
        let arguments = Array(CommandLine.arguments.dropFirst())
        switch (arguments.first, arguments.count) {
        case (nil, _):
            try await withThousandAccounts { node, tokens in
                try await OneVerification.measure(node, token: tokens[0])
                try await Floods.measure(node)
            }
        case ("imported", 1): try await withThousandAccounts(ImportedVerification.measure)
        case ("threads", 1): try await withThousandAccounts(TwoThreads.measure)
        case ("load", 3):
            guard let count = Int(arguments[2]) else { throw Misuse() }
            try await AccountFile(directory: arguments[1]).add(count)
        case ("accounts", 3):
            guard let count = Int(arguments[2]) else { throw Misuse() }
            try await ManyAccounts.measure(AccountFile(directory: arguments[1]), count: count)
        default: throw Misuse()
        }
    }

    private static func withThousandAccounts(
        _ measure: @Sendable (BenchmarkNode, [AccountFile.Token]) async throws -> Void
    ) async throws {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("keybearer-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let file = AccountFile(directory: directory.path)
        try file.create()
        try await file.add(1_000)
        let node = try BenchmarkNode(file)
        try await node.run { try await measure(node, file.tokens()) }
    }

    struct Misuse: Error {}
}
