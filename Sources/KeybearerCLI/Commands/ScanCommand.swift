import ArgumentParser
import Foundation
import Keybearer
import KeybearerScan

/// `keybearer scan`: finds leaked Secret Keys.
struct ScanCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "scan", abstract: "Find leaked Secret Keys in files, archives and histories of git.",
        discussion: """
            Needs no database and no network, except with --check. Never prints a whole key. Exit codes: 0 nothing was \
            found, 1 something was found, 2 something could not be read, whether or not anything was found.
            """)

    enum Format: String, ExpressibleByArgument, CaseIterable {
        case text
        case json
        case sarif
    }

    @OptionGroup(title: SettingOptions.title) var options: SettingOptions
    @Argument(help: "Files and folders; - is standard input.") var paths: [String]
    @Option(name: .long, help: "How the finds are printed: text, json or sarif.") var format = Format.text
    @Flag(name: .long, help: "Look up in the database whose the keys are, and whether they are live.") var check = false
    @Flag(name: .long, inversion: .prefixedNo, help: "Whether histories of git are looked at.") var history = true
    @Option(name: .long, help: "How many archives may be inside of each other; a compressed one is two.")
    var archiveDepth = 8
    @Option(
        name: .long, help: "The most bytes that are unpacked of one file or history, archives in archives included.")
    var unpackLimit = 4_294_967_296
    @Option(name: .long, help: "How many seconds git may say nothing before it is ended.") var gitTimeout = 120

    func validate() throws {
        guard !paths.isEmpty else { throw ValidationError("Name a file or a folder, or - for standard input.") }
        guard paths.count(where: { $0 == "-" }) <= 1 else { throw ValidationError("Standard input can be read once.") }
        guard (0...64).contains(archiveDepth) else { throw ValidationError("--archive-depth takes 0 to 64.") }
        guard unpackLimit >= 0 else { throw ValidationError("--unpack-limit takes a number of bytes.") }
        guard (1...86_400).contains(gitTimeout) else {
            throw ValidationError("--git-timeout takes 1 to 86400 seconds.")
        }
    }

    func run() async throws {
        let report = scan(try scanOptions())
        var checks: ScanChecks?
        var failure: (any Error)?
        if check, !report.finds.isEmpty {
            do { checks = try await ScanChecks(of: report.finds, Bootstrap(options)) } catch { failure = error }
        }
        let output = ScanOutput(report, checks, version: Version.current)
        switch format {
        case .text: for line in output.lines { Console.output(VisibleText.escaped(line, keepsLines: false)) }
        case .json: try Console.json(output.json)
        case .sarif: try Console.json(output.sarif)
        }
        for problem in report.problems {
            Console.report("keybearer: " + VisibleText.escaped(problem.description, keepsLines: false))
        }
        // What was found is printed whatever becomes of the check.
        if let failure { Console.report("keybearer: the finds could not be checked: \(Failure.message(of: failure))") }
        let isWhole = report.problems.isEmpty && failure == nil
        let status = !isWhole ? 2 : report.finds.isEmpty ? 0 : 1
        if status != 0 { throw ExitCode(Int32(status)) }
    }

    /// The prefix of this product's keys comes from the settings; none of the others matters.
    private func scanOptions() throws -> ScanOptions {
        let sources = try SettingSources(flags: options, environment: ProcessInfo.processInfo.environment)
        var scan = ScanOptions()
        scan.prefixes = [try SettingReader(sources: sources).required(.keyPrefix) { KeyPrefix($0) }]
        (scan.archiveDepth, scan.unpackLimit) = (archiveDepth, unpackLimit)
        (scan.readsHistory, scan.gitTimeout) = (history, .seconds(gitTimeout))
        return scan
    }

    private func scan(_ options: ScanOptions) -> ScanReport {
        let bar = isatty(STDERR_FILENO) == 1 ? ProgressBar() : nil
        let total = bar == nil ? 0 : Scanner.size(of: paths.filter { $0 != "-" })
        let scanner = Scanner(options) { done in
            if total > 0 { bar?.show("of the files read", done: min(done, total), total: total) }
        }
        for path in paths {
            if path == "-" { scanner.scan(file: STDIN_FILENO, named: "-") } else { scanner.scan(path: path) }
        }
        if total > 0 { bar?.end() }
        return scanner.report
    }
}
