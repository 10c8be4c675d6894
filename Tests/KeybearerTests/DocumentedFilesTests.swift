import Foundation
import TestSupport
import Testing

/// Documents for contributors name files; whoever moves a file corrects them.
@Suite struct DocumentedFilesTests {
    @Test(arguments: ["ARCHITECTURE.md", "CONTRIBUTING.md"]) func everyFileThatIsNamedExists(_ document: String) throws
    {
        let text = try Repository.text(of: document)
        // Paths from the root in backquotes, and links.
        let quoted = text.matches(of: /`((?:Sources|Tests|Plugins|docs|scripts|examples|spec)\/[^`\s]*)/).map(\.1)
        let linked = text.matches(of: /\]\(([^)#:]+)(?:#[^)]*)?\)/).map(\.1)
        #expect(quoted.count > 5 && linked.count > 1)
        for path in Set(quoted + linked) {
            #expect(
                FileManager.default.fileExists(atPath: Repository.url(String(path)).path), "\(document) names \(path)")
        }
    }

    @Test func aWalkthroughNamesEveryFileByItsPath() throws {
        let text = try Repository.text(of: "ARCHITECTURE.md")
        let walkthroughs = try #require(text.components(separatedBy: "# Five walkthroughs\n").last)
        let lists = walkthroughs.components(separatedBy: "\n## ").dropFirst()
        #expect(lists.count == 5)
        for list in lists {
            let steps = list.matches(of: /(?m)^\d+\. .*/)
            #expect(steps.count >= 10)
            for step in steps { #expect(step.0.contains("`Sources/"), "\(step.0)") }
        }
    }
}
