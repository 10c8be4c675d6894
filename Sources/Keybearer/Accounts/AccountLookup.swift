extension ServiceContext {
    /// The account that a typed address names, in whatever spelling it is stored. All are looked for, so that the time
    /// does not tell which one is there.
    func account(spelt text: String) async throws -> Account? {
        var first: Account?
        for email in EmailAddress.spellings(of: text) {
            let account = try await store.account(email: email)
            first = first ?? account
        }
        return first
    }
}
