import ArgumentParser

/// Which part of a list a command shows.
struct PageOptions: ParsableArguments {
    @Option(name: .long, help: "Which page, from 1.") var page = 1
    @Option(name: .long, help: "How many to a page, 1 to 1000.") var limit = 100

    func validate() throws {
        guard page >= 1 else { throw ValidationError("--page is \(page); pages start at 1.") }
        guard (1...1_000).contains(limit) else { throw ValidationError("--limit is \(limit); it is 1 to 1000.") }
    }
}
