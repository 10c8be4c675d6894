import TestSupport
import Testing

@testable import Keybearer

@Suite("The table of tokens")
struct TokenTableTests {
    private func token(_ number: Int) throws -> PresentedToken {
        let text = "tdc_" + String(repeating: "0", count: 38 - String(number).count) + String(number)
        return try #require(Array(text.utf8).withUnsafeBufferPointer { PresentedToken($0) })
    }

    private func account(_ number: Int) -> LiveAccount {
        let id = UserID(rawValue: "usr_\(number)")
        let made = Samples(seed: 1).newAccount()
        let user = User(id: id, email: made.user.email, name: "Ada", isOperator: false, createdAt: Samples.start)
        return LiveAccount(
            account: Account(user: user, key: made.key, workspaces: []), prepared: [], ledger: AccountLedger(userID: id)
        )
    }

    /// A narrow hash makes many tokens share a slot; a wide one is the real thing.
    @Test("It is a dictionary, also where many tokens share a slot", arguments: [UInt64(7), .max])
    func isADictionary(mask: UInt64) throws {
        let random = RandomSource.seeded(mask ^ 99)
        let seed = PresentedToken.HashSeed(from: random)
        var table = TokenTable()
        var model: [Int: LiveAccount?] = [:]
        for _ in 0..<40_000 {
            let draw = random.bytes(3)
            let number = Int(draw[0]) % 200
            let token = try token(number)
            let hash = token.hash(keyed: seed) & mask
            switch draw[1] % 8 {
            case 0...3:
                let account = draw[2] % 4 == 0 ? nil : account(number)
                table.insert(token, hash: hash, account: account)
                model[number] = .some(account)
            case 4...6:
                #expect(table.remove(token, hash: hash) == (model.removeValue(forKey: number) != nil))
            default:
                if draw[2] < 4 {
                    table.removeAll()
                    model = [:]
                }
            }
            #expect(table.count == model.count)
            let probe = Int(draw[2]) % 200
            let probed = try self.token(probe)
            let found = table.find(probed, hash: probed.hash(keyed: seed) & mask)
            #expect((found == nil) == (model[probe] == nil))
            #expect((found ?? nil) === (model[probe] ?? nil))
        }
    }

    @Test("Eviction takes out each token once")
    func eviction() throws {
        let seed = PresentedToken.HashSeed(from: .seeded(5))
        var table = TokenTable()
        for number in 0..<500 {
            let token = try token(number)
            table.insert(token, hash: token.hash(keyed: seed), account: account(number))
        }
        var evicted: Set<UserID> = []
        while let account = table.evict() { evicted.insert(account.account.user.id) }
        #expect(evicted.count == 500)
        #expect(table.count == 0)
    }

    @Test("Two seeds give two hashes, and every byte of a token counts")
    func hashing() throws {
        let (one, other) = (PresentedToken.HashSeed(from: .seeded(1)), PresentedToken.HashSeed(from: .seeded(2)))
        let bytes = Array("tdc_0123456789abcdefghijklmnopqrstuvwxyzAB".utf8)
        let whole = try #require(bytes.withUnsafeBufferPointer { PresentedToken($0) })
        #expect(whole.hash(keyed: one) != whole.hash(keyed: other))
        for place in bytes.indices {
            var changed = bytes
            changed[place] ^= 1
            let token = try #require(changed.withUnsafeBufferPointer { PresentedToken($0) })
            #expect(token.hash(keyed: one) != whole.hash(keyed: one), "place \(place)")
        }
        #expect(Set((0..<20_000).map { try? token($0).hash(keyed: one) }).count == 20_000)
    }
}
