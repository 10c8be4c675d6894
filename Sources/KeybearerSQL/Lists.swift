package import Keybearer

extension SQLStore {
    package func account(externalID: ExternalID) async throws -> Account? {
        try await shortRead { connection in
            try StoredValues.accounts(try connection.rows(AccountSQL.byExternalID, [.id(externalID)])).first
        }
    }

    package func workspaceID(externalID: ExternalID) async throws -> WorkspaceID? {
        try await shortRead { connection in
            try connection.first(WorkspaceSQL.idByExternalID, [.id(externalID)])
                .map { WorkspaceID(rawValue: try $0.requiredText("id")) }
        }
    }

    package func accounts(
        matching filter: UserFilter, after place: ListPlace?, limit: Int
    ) async throws -> [Account] {
        try await engine.read { connection in
            try StoredValues.accounts(
                try connection.rows(
                    AccountSQL.matching,
                    Self.beginning(place) + [
                        .optional(filter.status?.rawValue), .optional(filter.workspaceID?.rawValue),
                        .optional(filter.planID?.rawValue),
                    ] + Self.end(filter.createdAfter, filter.updatedAfter, limit) + [.optional(filter.kind?.rawValue)]))
        }
    }

    package func workspaces(
        matching filter: WorkspaceFilter, after place: ListPlace?, limit: Int
    ) async throws -> [(workspace: Workspace, plan: Plan, memberCount: Int)] {
        try await engine.read { connection in
            let rows = try connection.rows(
                WorkspaceSQL.matching,
                Self.beginning(place) + [
                    .optional(filter.memberID?.rawValue), .optional(filter.planID?.rawValue),
                    filter.isSuspended.map { .number($0 ? 1 : 0) } ?? .null,
                ] + Self.end(filter.createdAfter, filter.updatedAfter, limit)
                    + [.optional(filter.externalID?.rawValue)])
            return try StoredValues.groups(rows, by: "workspace_id").map { rows in
                (
                    workspace: try StoredValues.workspace(rows[0]), plan: try StoredValues.plan(rows),
                    memberCount: Int(try rows[0].requiredNumber("members"))
                )
            }
        }
    }

    /// Behind a place, or from the beginning.
    private static func beginning(_ place: ListPlace?) -> [SQLValue] {
        [.number(place?.createdAt.millisecondsSinceEpoch ?? .min), .text(place?.id ?? "")]
    }

    private static func end(_ createdAfter: Timestamp?, _ updatedAfter: Timestamp?, _ limit: Int) -> [SQLValue] {
        let number = { (time: Timestamp?) in SQLValue.number(time?.millisecondsSinceEpoch ?? .min) }
        return [number(createdAfter), number(updatedAfter), .number(max(0, limit))]
    }

    package func auditEvents(
        of userID: UserID?, before place: Int64?, limit: Int
    ) async throws -> [(place: Int64, AuditEvent)] {
        try await engine.read { connection in
            let part = [SQLValue.number(place ?? .max), .number(max(0, limit))]
            let rows = try userID.map { try connection.rows(AuditSQL.beforeOfUser, part + [.id($0)]) }
            return try (rows ?? connection.rows(AuditSQL.before, part)).map {
                (place: try $0.requiredNumber("sequence"), try StoredValues.auditEvent($0))
            }
        }
    }

    package func keyOwner(digests: [[UInt8]]) async throws -> KeyOwner? {
        // One state of the database: a key that is regenerated meanwhile is in one of the two places.
        try await engine.read { connection in
            for digest in digests {
                let rows = try connection.rows(AccountSQL.byDigest, [.bytes(digest)])
                if let account = try StoredValues.accounts(rows).first { return .live(account) }
            }
            for digest in digests {
                guard let row = try connection.first(KeySQL.pastKey, [.bytes(digest)]) else { continue }
                let past = try StoredValues.pastKey(row)
                return .ended(past, try Self.account(past.userID, connection))
            }
            return nil
        }
    }
}
