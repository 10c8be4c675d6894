import Testing

@testable import Keybearer

/// The names of each ``OperatorScope``, and the ``OperatorCaller`` that has them.
@Suite struct OperatorScopeNameTests {
    @Test("Every scope that tokens are made with, by its name")
    func names() {
        let all = [
            "audit:read", "events:publish", "introspect", "keys:import", "keys:lookup", "keys:regenerate",
            "keys:reveal", "plans:write", "portal", "quota:reset", "usage:read", "users:identity", "users:read",
            "users:write", "webhooks:write", "workspaces:read", "workspaces:write",
        ]
        #expect(OperatorScope.allCases.sorted().map(\.rawValue) == all)
        for name in ["", "Portal", "users", "users:", "users:*", "*", "users:read "] {
            #expect(OperatorScope(rawValue: name) == nil)
        }
    }

    @Test("A caller has its token's scopes and no others; at the command line everything is allowed")
    func caller() throws {
        for scope in OperatorScope.allCases {
            let token = OperatorToken(
                id: OperatorTokenID(rawValue: "opt_1"), name: "one", scopes: [scope],
                createdAt: Timestamp(millisecondsSinceEpoch: 0))
            let caller = OperatorCaller(token, from: .localSocket)
            for other in OperatorScope.allCases {
                #expect(caller.has(other) == (other == scope))
                #expect(OperatorCaller.commandLine.has(other))
                try OperatorCaller.commandLine.require(other)
                if other == scope {
                    try caller.require(other)
                } else {
                    let refusal = #expect(throws: KeybearerError.self) { try caller.require(other) }
                    #expect(refusal?.code == .forbidden)
                    #expect(refusal?.message.hasSuffix(" \(other.rawValue).") == true)
                }
            }
            #expect(caller.requestScope == "opt_1" && !caller.vouchesForAddresses)
        }
        #expect(OperatorCaller.commandLine.requestScope == "cli" && OperatorCaller.commandLine.vouchesForAddresses)
    }
}
