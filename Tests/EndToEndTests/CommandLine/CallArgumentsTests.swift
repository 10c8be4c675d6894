import Testing

@testable import KeybearerCLI

/// ``CallArguments``: a call without arguments, and arguments that cannot be read. `scripts/test-package` calls the program
/// where `/proc` is not mounted.
@Suite struct CallArgumentsTests {
    @Test("The program's own name is none of them")
    func withoutTheName() throws {
        #expect(try CallArguments.read(["keybearer"]) == [])
        #expect(try CallArguments.read(["/usr/bin/keybearer", "serve", "--lease"]) == ["serve", "--lease"])
    }

    @Test("Where not even the name can be read, the call fails instead of showing the help")
    func unreadable() {
        do {
            _ = try CallArguments.read([])
            Issue.record("nothing was thrown")
        } catch {
            #expect(error.status == .other && error.message.contains("/proc"))
        }
    }
}
