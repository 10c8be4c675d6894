import Foundation
import Keybearer
import Testing

@Suite("Permissions")
struct PermissionsTests {
    @Test("The documents show the table", arguments: Action.allCases)
    func documented(_ action: Action) throws {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("docs/authority.md")
        let rule = Permissions.rule(of: action)
        let roles = [Role.owner, .admin, .member].map { rule.roles.contains($0) ? "yes" : "no" }
        let needs = [(rule.needsFeature, "the feature"), (rule.needsRecentSignIn, "a recent sign-in")]
            .filter(\.0).map(\.1).joined(separator: ", ")
        let row = "| `\(action.rawValue)` | \(roles.joined(separator: " | ")) | \(needs)\(needs.isEmpty ? "" : " ")|"
        let text = try String(contentsOf: file, encoding: .utf8)
        #expect(text.contains(row), "\(row)")
    }
}
