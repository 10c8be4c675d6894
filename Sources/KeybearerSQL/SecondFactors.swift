package import Keybearer

enum SecondFactorSQL {
    private static let columns = "SELECT user_id, id, master_key_id, box, created_at FROM second_factors"

    static let ofUser = SQL("\(columns) WHERE user_id = $1")
    static let codesLeft = SQL("SELECT count(*) AS count FROM recovery_codes WHERE user_id = $1")
    /// Another one that was added at the same moment is found by the primary key.
    static let add = SQL(
        """
        INSERT INTO second_factors (user_id, id, master_key_id, box, last_step, created_at)
        VALUES ($1, $2, $3, $4, $5, $6)
        """)
    static let remove = SQL("DELETE FROM second_factors WHERE user_id = $1")
    static let removeCodes = SQL("DELETE FROM recovery_codes WHERE user_id = $1")
    /// A step counts once, and none before it counts any more.
    static let useStep = SQL(
        "UPDATE second_factors SET last_step = $3 WHERE user_id = $1 AND id = $2 AND last_step < $3")
    static let useCode = SQL("DELETE FROM recovery_codes WHERE user_id = $1 AND digest = $2")
    static let notSealedUnder = SQL("\(columns) WHERE master_key_id <> $1 ORDER BY user_id LIMIT $2")
    static let anySealed = SQL("SELECT user_id FROM second_factors WHERE master_key_id = $1 LIMIT 1")
    static let reseal = SQL(
        "UPDATE second_factors SET master_key_id = $3, box = $4 WHERE user_id = $1 AND id = $2")

    static let addPending = SQL(
        """
        INSERT INTO pending_sign_ins (digest, user_id, password_version, created_at, attempts)
        VALUES ($1, $2, $3, $4, 0)
        """)
    static let pendingToRemove = SQL(
        "SELECT digest FROM pending_sign_ins WHERE user_id = $1 ORDER BY created_at DESC, digest LIMIT 1000 OFFSET $2")
    /// Of an active account whose password is still the one that was given.
    static let pending = SQL(
        """
        SELECT p.user_id, p.password_version, p.created_at FROM pending_sign_ins p
        JOIN users u ON u.id = p.user_id AND u.password_version = p.password_version
        JOIN second_factors s ON s.user_id = p.user_id
        WHERE p.digest = $1 AND u.status = $2
        """)
    static let countAttempt = SQL(
        "UPDATE pending_sign_ins SET attempts = attempts + 1 WHERE digest = $1 AND attempts < $2")
    static let removePending = SQL("DELETE FROM pending_sign_ins WHERE digest = $1")
    static let pendingOfUser = SQL("SELECT digest FROM pending_sign_ins WHERE user_id = $1 ORDER BY digest")
    static let removePendingOfUser = SQL("DELETE FROM pending_sign_ins WHERE user_id = $1")
    static let oldPending = SQL(
        "SELECT digest FROM pending_sign_ins WHERE created_at < $1 OR created_at > $2 ORDER BY digest LIMIT $3")

    static let all = [
        ofUser, codesLeft, add, remove, removeCodes, useStep, useCode, notSealedUnder, anySealed, reseal,
        addPending, pendingToRemove, pending, countAttempt, removePending, pendingOfUser, removePendingOfUser,
        oldPending,
    ]
}

extension SQLStore {
    package func secondFactor(of userID: UserID) async throws -> (factor: SecondFactor, codesLeft: Int)? {
        try await engine.read { connection in
            try connection.first(SecondFactorSQL.ofUser, [.id(userID)]).map { row in
                let left = try connection.first(SecondFactorSQL.codesLeft, [.id(userID)])?.requiredNumber("count")
                return (try StoredValues.secondFactor(row), Int(left ?? 0))
            }
        }
    }

    package func addSecondFactor(
        _ factor: SecondFactor, lastStep: Int64, recoveryCodes: [[UInt8]], keeping session: SessionID,
        by authority: Authority, audit: AuditEvent
    ) async throws {
        let userID = factor.userID
        var locks = RowLocks([
            (.user(userID), .update), (.sessions(of: userID), .replace),
            (.masterKey(factor.sealed.masterKeyID), .share),
        ])
        locks.readsTime = true
        try await write(by: authority, audit: audit, locking: locks) { connection, locked in
            try locked.requireRecentSignIn(of: authority, at: audit.at)
            guard locked.has(.user(userID)) else { throw KeybearerError.noSuchAccount }
            try locked.requireSealing(under: factor.sealed.masterKeyID, connection)
            guard try connection.first(SecondFactorSQL.ofUser, [.id(userID)]) == nil else {
                throw KeybearerError(.conflict, "Two-step sign-in is on already.")
            }
            try connection.execute(
                SecondFactorSQL.add,
                [
                    .id(userID), .id(factor.id), .id(factor.sealed.masterKeyID), .bytes(factor.sealed.box),
                    .number(lastStep), .time(factor.createdAt),
                ])
            try Self.insert(recoveryCodes, of: userID, connection)
            try Self.endSignIns(of: userID, keeping: session, at: audit.at, connection)
            return .changes((), with: [])
        }
    }

    private static func insert(_ digests: [[UInt8]], of userID: UserID, _ connection: any SQLConnection) throws {
        try connection.insertMany(digests.map { [.id(userID), .bytes($0)] }, into: CopiedTable.recoveryCodes)
    }

    package func replaceRecoveryCodes(
        of userID: UserID, with digests: [[UInt8]], proof: SecondFactorProof, by authority: Authority,
        audit: AuditEvent
    ) async throws {
        try await changeSecondFactor(of: userID, proof, by: authority, audit: audit) { connection in
            try connection.execute(SecondFactorSQL.removeCodes, [.id(userID)])
            try Self.insert(digests, of: userID, connection)
        }
    }

    package func removeSecondFactor(
        of userID: UserID, proof: SecondFactorProof, by authority: Authority, audit: AuditEvent
    ) async throws {
        try await changeSecondFactor(of: userID, proof, by: authority, audit: audit) { connection in
            try Self.removeSecondFactor(of: userID, connection)
        }
    }

    private func changeSecondFactor(
        of userID: UserID, _ proof: SecondFactorProof, by authority: Authority, audit: AuditEvent,
        _ change: @escaping @Sendable (any SQLConnection) throws -> Void
    ) async throws {
        var locks = RowLocks([(.user(userID), .update)])
        locks.readsTime = true
        try await write(by: authority, audit: audit, locking: locks) { connection, locked in
            try locked.requireRecentSignIn(of: authority, at: audit.at)
            guard try connection.first(SecondFactorSQL.ofUser, [.id(userID)]) != nil else {
                throw KeybearerError.noSecondFactor
            }
            try Self.use(proof, of: userID, connection)
            try change(connection)
            return .changes((), with: [])
        }
    }

    /// The recovery codes go with it by ON DELETE CASCADE, and whoever waits to give a code signs in again.
    @discardableResult
    static func removeSecondFactor(of userID: UserID, _ connection: any SQLConnection) throws -> Bool {
        try endPendingSignIns(of: userID, connection)
        return try connection.execute(SecondFactorSQL.remove, [.id(userID)]) == 1
    }

    /// Takes a second factor from an account without its code, for an operator. Where there is none, nothing changes.
    static func resettingSecondFactor(of userID: UserID) -> Write<StoreWrite.Outcome> {
        Write(nil, locking: RowLocks([(.user(userID), .update)])) { connection, locked in
            guard locked.has(.user(userID)) else { throw KeybearerError.noSuchAccount }
            try locked.requirePerson(userID, "it cannot sign in, so it has no second factor")
            return try removeSecondFactor(of: userID, connection) ? .changes(.done, with: []) : .nothing(.done)
        }
    }

    /// Uses a proof up. Of two that use the same one the second waits at the row, and finds it used.
    ///
    /// - Throws: ``KeybearerError/wrongCode``.
    private static func use(_ proof: SecondFactorProof, of userID: UserID, _ connection: any SQLConnection) throws {
        let used =
            switch proof {
            case .code(let id, let step):
                try connection.execute(SecondFactorSQL.useStep, [.id(userID), .id(id), .number(step)])
            case .recoveryCode(let digest):
                try connection.execute(SecondFactorSQL.useCode, [.id(userID), .bytes(digest)])
            }
        guard used == 1 else { throw KeybearerError.wrongCode }
    }

    /// Looks, in the transaction that starts a session, whether a password is enough, and uses up what was given besides.
    static func require(
        _ proof: SignInProof?, of userID: UserID, by authority: Authority, _ connection: any SQLConnection
    ) throws {
        let isByPassword =
            switch authority.credential {
            case .password: true
            case .session(_, _, let passwordVersion): passwordVersion != nil
            default: false
            }
        guard isByPassword else { return }
        let isNeeded = try connection.first(SecondFactorSQL.ofUser, [.id(userID)]) != nil
        guard let proof else {
            if isNeeded { throw KeybearerError.codeNeeded }
            return
        }
        // It was turned off meanwhile: what the person gave belongs to nothing.
        guard isNeeded else { throw KeybearerError.authorityEnded("Sign in again.") }
        try use(proof.factor, of: userID, connection)
        guard let pending = proof.pending else { return }
        guard try connection.execute(SecondFactorSQL.removePending, [.bytes(pending)]) == 1 else {
            throw KeybearerError.authorityEnded("Sign in again.")
        }
    }
}

extension SQLStore {
    /// Ends all sign-ins of an account that wait for a code, locked in the order in which everybody locks them.
    static func endPendingSignIns(of userID: UserID, _ connection: any SQLConnection) throws {
        try connection.lock([(SQLStatement(SecondFactorSQL.pendingOfUser, [.id(userID)]), .replace)])
        try connection.execute(SecondFactorSQL.removePendingOfUser, [.id(userID)])
    }

    package func addPendingSignIn(
        _ pending: PendingSignIn, digest: [UInt8], by authority: Authority, audit: AuditEvent
    ) async throws {
        // One at a time for an account: each removes the same others.
        var locks = RowLocks([(.user(pending.userID), .update)])
        locks.readsTime = true
        try await write(by: authority, audit: audit, locking: locks) { connection, locked in
            let old = try connection.rows(
                SecondFactorSQL.pendingToRemove,
                [.id(pending.userID), .number(PendingSignIn.mostPerAccount - 1)])
            let digests = try old.map { try $0.requiredBytes("digest") }.sorted { $0.lexicographicallyPrecedes($1) }
            try connection.executeMany(SecondFactorSQL.removePending, digests.map { [.bytes($0)] })
            try connection.execute(
                SecondFactorSQL.addPending,
                [
                    .bytes(digest), .id(pending.userID), .number(pending.passwordVersion),
                    .time(locked.now(pending.createdAt)),
                ])
            return .changes((), with: [])
        }
    }

    package func pendingSignIn(
        digest: [UInt8], now: Timestamp
    ) async throws -> (pending: PendingSignIn, now: Timestamp)? {
        try await shortRead { connection in
            let (rows, now) = try connection.rowsAndTime(
                SecondFactorSQL.pending, [.bytes(digest), .text(User.Status.active.rawValue)], caller: now)
            return try rows.first.map { row in
                let pending = PendingSignIn(
                    userID: UserID(rawValue: try row.requiredText("user_id")),
                    passwordVersion: Int(try row.requiredNumber("password_version")),
                    createdAt: try row.timestamp("created_at"))
                return (pending, now)
            }
        }
    }

    package func countAttempt(ofPendingSignIn digest: [UInt8]) async throws -> Bool {
        try await maintain { connection in
            let most = SQLValue.number(PendingSignIn.mostAttempts)
            return try connection.execute(SecondFactorSQL.countAttempt, [.bytes(digest), most]) == 1
        }
    }

    package func removeOldPendingSignIns(now: Timestamp) async throws {
        let old = OldRows(
            find: SecondFactorSQL.oldPending,
            bounds: { now in
                [
                    .time(now.advanced(by: .zero - PendingSignIn.life)),
                    .time(now.advanced(by: SessionPolicy.clockTolerance)),
                ]
            },
            remove: SecondFactorSQL.removePending, key: { [.bytes(try $0.requiredBytes("digest"))] })
        try await remove(old, now: now)
    }

    package func secondFactors(notSealedUnder id: MasterKeyID, limit: Int) async throws -> [SecondFactor] {
        try await engine.read { connection in
            try connection.rows(SecondFactorSQL.notSealedUnder, [.id(id), .number(max(0, limit))])
                .map { try StoredValues.secondFactor($0) }
        }
    }

    package func reseal(_ factors: [SecondFactor], by authority: Authority, audit: AuditEvent) async throws {
        let sealing = Set(factors.map(\.sealed.masterKeyID))
        let locks = RowLocks(sealing.map { (.masterKey($0), .share) } + factors.map { (.user($0.userID), .update) })
        try await write(by: authority, audit: audit, locking: locks) { connection, locked in
            for id in sealing { try locked.requireSealing(under: id, connection) }
            try connection.executeMany(
                SecondFactorSQL.reseal,
                factors.sorted { $0.userID < $1.userID }.map { factor in
                    [.id(factor.userID), .id(factor.id), .id(factor.sealed.masterKeyID), .bytes(factor.sealed.box)]
                })
            return .changes((), with: [])
        }
    }
}

extension StoredValues {
    package static func secondFactor(_ row: any StoredRow) throws -> SecondFactor {
        SecondFactor(
            id: SecondFactorID(rawValue: try row.requiredText("id")),
            userID: UserID(rawValue: try row.requiredText("user_id")),
            sealed: SealedSecret(
                masterKeyID: MasterKeyID(rawValue: try row.requiredText("master_key_id")),
                box: try row.requiredBytes("box")),
            createdAt: try row.timestamp("created_at"))
    }
}
