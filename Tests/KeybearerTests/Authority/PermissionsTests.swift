import Foundation
import Keybearer
import TestSupport
import Testing

/// ``Permissions`` are the table that the documents show.
@Suite struct PermissionsTests {
    @Test("The documents show the table", arguments: Action.allCases)
    func documented(_ action: Action) throws {
        let rule = Permissions.rule(of: action)
        let roles = [Role.owner, .admin, .member].map { rule.roles.contains($0) ? "yes" : "no" }
        let needs = [(rule.needsFeature, "the feature"), (rule.needsRecentSignIn, "a recent sign-in")]
            .filter(\.0).map(\.1).joined(separator: ", ")
        let row = "| `\(action.rawValue)` | \(roles.joined(separator: " | ")) | \(needs)\(needs.isEmpty ? "" : " ")|"
        let text = try Repository.text(of: "docs/authority.md")
        #expect(text.contains(row), "\(row)")
    }
}
