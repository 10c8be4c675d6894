import Foundation
import TestSupport
import Testing

@testable import Keybearer

/// ``Permissions`` are the table that the documents show.
@Suite struct PermissionsTests {
    @Test("The documents show exactly the table")
    func documented() throws {
        let rows = Action.allCases.map { action in
            let rule = Permissions.rule(of: action)
            let roles = [Role.owner, .admin, .member].map { rule.roles.contains($0) ? "yes" : "no" }
            let needs = [(rule.needsFeature, "the feature"), (rule.needsRecentSignIn, "a recent sign-in")]
                .filter(\.0).map(\.1).joined(separator: ", ")
            return "| `\(action.rawValue)` | \(roles.joined(separator: " | ")) | \(needs)\(needs.isEmpty ? "" : " ")|"
        }
        let text = try Repository.text(of: "docs/authority.md")
        let documented = text.split(separator: "\n").map(String.init).filter { $0.hasPrefix("| `") }
        #expect(documented == rows)
    }

    @Test("What a role may do, a higher one may do as well, and somebody may do everything")
    func rising() {
        for action in Action.allCases {
            #expect(Permissions.allows(.owner, action))
            #expect(Permissions.allows(.admin, action) || !Permissions.allows(.member, action))
        }
    }

    @Test("A refusal says who may do it")
    func refusals() {
        let plan = KeybearerError.roleForbids(.changePlan)
        #expect(plan.code == .forbidden && plan.message == "Only an Owner of the workspace can change its plan.")
        #expect(
            KeybearerError.roleForbids(.renameWorkspace).message
                == "Only an Owner or an Admin of the workspace can rename it.")
    }
}
