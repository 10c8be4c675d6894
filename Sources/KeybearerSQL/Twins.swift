package import Keybearer

enum TwinSQL {
    static let addresses = SQL("SELECT id, email FROM users WHERE id > $1 ORDER BY id LIMIT $2")
    static let withAddress = SQL("SELECT id FROM users WHERE email = $1")

    static let all = [addresses, withAddress]
}

extension SQLStore {
    /// The accounts whose addresses are one in different spellings, which earlier versions took for several: their ids,
    /// twins together.
    ///
    /// - Parameter pageSize: how many are read at the same time.
    package func twins(pageSize: Int = 1_000) async throws -> [[UserID]] {
        // Only an address with other letters than ASCII, or the xn-- form of some, has another spelling.
        var found: [String: [UserID]] = [:]
        var last: UserID?
        repeat {
            let page = try await addresses(after: last, pageSize)
            for (id, email) in page where email.contains("xn--") || email.utf8.contains(where: { $0 > 127 }) {
                found[EmailAddress(normalised: email).twinForm, default: []].append(id)
            }
            last = page.last?.id
        } while last != nil
        for form in found.keys {
            let plain = try await ids(withAddress: form).filter { found[form]?.contains($0) == false }
            found[form]?.insert(contentsOf: plain, at: 0)
        }
        return found.sorted { $0.key < $1.key }.map(\.value).filter { $0.count > 1 }
    }

    private func addresses(after last: UserID?, _ limit: Int) async throws -> [(id: UserID, email: String)] {
        try await shortRead { connection in
            try connection.rows(TwinSQL.addresses, [.text(last?.rawValue ?? ""), .number(limit)]).map {
                (UserID(rawValue: try $0.requiredText("id")), try $0.requiredText("email"))
            }
        }
    }

    private func ids(withAddress email: String) async throws -> [UserID] {
        try await shortRead { connection in
            try connection.rows(TwinSQL.withAddress, [.text(email)]).map { UserID(rawValue: try $0.requiredText("id")) }
        }
    }
}
