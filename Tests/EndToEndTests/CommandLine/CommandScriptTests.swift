import Foundation
import TestSupport
import Testing

extension EndToEndTests {
    /// The commands as a person and as a script use them: each file of `Tests/CommandLine`.
    /// ``UserDeletionCommands`` are in `user.txt`; ``UserChangeCommands``, ``UserImportCommand``,
    /// ``WorkspaceChangeCommands`` and ``LimitCommands`` are in `product.txt`.
    @Suite struct CommandScriptTests {
        @Test(arguments: try CommandScript.all()) func everyCommandPrintsWhatTheScriptSays(_ script: CommandScript) {
            #expect(!script.steps.isEmpty)
            do {
                try script.run()
            } catch let mismatch as CommandScript.Mismatch {
                Issue.record(
                    "\(script.name), line \(mismatch.line): \(mismatch.description)",
                    sourceLocation: SourceLocation(
                        fileID: "CommandLine/\(script.name)",
                        filePath: Repository.url("Tests/CommandLine/\(script.name)").path, line: mismatch.line,
                        column: 1))
            } catch {
                Issue.record(error)
            }
        }

        /// Scripts that must fail, with the line that they fail at.
        static let wrong: [(script: String, line: Int)] = [
            ("$ echo one\ntwo\n", 2),
            ("$ echo one\n", 1),
            ("$ echo one\none\ntwo\n", 3),
            ("$ echo one\n…\ntwo\n", 3),
            ("$ printf one\none\n", 2),
            ("$ false\n", 1),
            ("$ true\n[1]\n", 1),
            ("$ sh -c 'echo one >&2'\n", 1),
            ("$ sh -c 'echo one >&2'\n! two\n", 2),
            ("$ echo $NONE\n", 1),
            ("$ echo one\n$NONE\n", 2),
            ("$ echo one\n{thing}\n", 2),
            ("one\n", 1),
            // A secret: on standard error, under `…`, without a name, and under a second name.
            ("$ sh -c 'cat >&2'\n< $PASSWORD\n! $PASSWORD\n", 1),
            ("$ echo $PASSWORD\n…\n", 1),
            ("$ echo $PASSWORD\n…-…\n", 2),
            ("$ echo 01234567890123456789\n{password}\n", 2),
            ("$ echo 01234567890123456789\n{password A}\n$ echo $A\n{password B}\n", 4),
        ]

        @Test(arguments: wrong) func aScriptThatIsWrongFailsAtItsLine(_ script: String, line: Int) throws {
            let mismatch = #expect(throws: CommandScript.Mismatch.self) {
                try CommandScript(script, name: "wrong.txt").run()
            }
            #expect(mismatch?.line == line, "\(mismatch?.description ?? "")")
        }

        @Test func theExampleInTheReadMeHolds() throws {
            let page = try Repository.text(of: "Tests/CommandLine/README.md")
            let example = try #require(page.firstMatch(of: /(?s)```\n(.*?)```/))
            try CommandScript(String(example.1), name: "README.md").run()
        }

        @Test func everyMarkOfAScriptIsUnderstood() throws {
            try CommandScript(
                """
                # Words, values, several lines, blank ones, and a line that looks like a mark.
                $ A=1 printf '%s\\n'
                > 'a b' "c\\td" $DIR/x

                a b
                c\td
                $DIR/x
                """.replacing("\n\na b", with: "\na b"), name: "right.txt"
            ).run()
            try CommandScript(
                """
                $ cat
                < 01234567890123456789 one
                < $ two
                <\u{20}
                < three
                {password A} …
                \\$ two

                three

                $ echo $A $A_PREFIX
                $A 01234567
                $ sh -c 'echo first >&2; echo second >&2; echo third; exit 3'
                third
                ! …
                ! second
                [3]
                """, name: "right.txt"
            ).run()
        }
    }
}
