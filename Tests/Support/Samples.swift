package import Keybearer

/// Builds things to store: new ids and key material at every call, everything else the same unless it is asked for.
package struct Samples: Sendable {
    /// Where ids and key material come from.
    package let random: RandomSource
    /// 2026-01-01T00:00:00Z.
    package static let start = Timestamp(millisecondsSinceEpoch: 1_767_225_600_000)
    /// 192.0.2.7
    package static let address = IPAddress(v4: 0xC000_0207)

    /// Builds from a seed.
    package init(seed: UInt64 = 1) {
        random = .seeded(seed)
    }

    /// A time some seconds after ``start``.
    package func at(_ seconds: Int64) -> Timestamp { Self.start.advanced(by: .seconds(seconds)) }

    /// A new account with a key at version 1, made `seconds` after ``start``.
    package func newAccount(
        email: String? = nil, name: String = "Ada", workspaceName: String = "Ada's workspace",
        isOperator: Bool = false, after seconds: Int64 = 0
    ) -> NewAccount {
        let id = UserID.random(from: random)
        return NewAccount(
            user: User(
                id: id, email: EmailAddress(normalised: email ?? "\(id.rawValue.lowercased())@example.com"), name: name,
                isOperator: isOperator, createdAt: at(seconds)),
            passwordHash: "$scrypt$ln=17,r=8,p=1$c2FsdA$aGFzaA",
            key: key(version: 1, after: seconds), sealedKey: sealedKey(),
            workspaceID: .random(from: random), workspaceName: workspaceName)
    }

    /// A new service account with a key at version 1.
    package func newServiceAccount(
        in workspaceID: WorkspaceID, name: String = "Testing", externalID: ExternalID? = nil, after seconds: Int64 = 0,
        maker: UserID? = nil
    ) -> NewServiceAccount {
        NewServiceAccount(
            id: .random(from: random), name: name, externalID: externalID, in: workspaceID, createdAt: at(seconds),
            key: key(version: 1, after: seconds), sealedKey: sealedKey(), maker: maker)
    }

    /// The deletion of a workspace.
    package func deletion(
        of workspaceID: WorkspaceID, version: Int? = nil, with serviceAccounts: [UserID] = []
    ) -> WorkspaceDeletion {
        let random = random
        return WorkspaceDeletion(id: workspaceID, version: version, serviceAccounts: serviceAccounts) {
            .random(from: random)
        }
    }

    /// A key's record.
    package func key(version: Int, after seconds: Int64 = 0) -> APIKey {
        APIKey(
            id: .random(from: random), version: version,
            shownPrefix: "tdc_" + String(decoding: random.base62(count: 4), as: UTF8.self), generatedAt: at(seconds))
    }

    /// A sealed form of nothing: random bytes of the right lengths.
    package func sealedKey(under id: MasterKeyID = MasterKeyID(rawValue: "mk_one")) -> SealedKey {
        SealedKey(masterKeyID: id, box: random.bytes(70), digest: random.bytes(32))
    }

    /// The replacement of an account's key with the next version.
    package func replacement(
        of account: Account, idempotencyDigest: [UInt8]? = nil, after seconds: Int64 = 60
    ) -> KeyReplacement {
        KeyReplacement(
            userID: account.user.id, key: key(version: account.key.version + 1, after: seconds), sealed: sealedKey(),
            request: idempotencyDigest.map {
                IdempotentRequest(scope: account.user.id.rawValue, keyDigest: $0, requestDigest: Self.request)
            })
    }

    /// What a request asks for, where it does not matter.
    package static let request = [UInt8](repeating: 7, count: 32)

    /// An audit event with a new id.
    package func event(
        _ action: AuditEvent.Action, user: UserID? = nil, workspace: WorkspaceID? = nil, detail: String? = nil,
        after seconds: Int64 = 0
    ) -> AuditEvent {
        AuditEvent(
            id: .random(from: random), at: at(seconds), actor: .system, action: action, userID: user,
            workspaceID: workspace, address: Self.address, detail: detail)
    }

    /// A session that began `seconds` after ``start``.
    package func session(of userID: UserID, after seconds: Int64 = 0) -> Session {
        Session(
            id: .random(from: random), userID: userID, createdAt: at(seconds), authenticatedAt: at(seconds),
            lastSeenAt: at(seconds), address: Self.address, userAgent: "Browser/1.0")
    }
}
