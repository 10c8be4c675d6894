import TestSupport
import Testing

@testable import Keybearer

/// The ``TokenTable``: a dictionary by ``PresentedToken``, with eviction.
@Suite struct TokenTableTests {
    private func token(_ number: Int) throws -> PresentedToken {
        let text = "tdc_" + String(repeating: "0", count: 38 - String(number).count) + String(number)
        return try #require(Array(text.utf8).withUnsafeBufferPointer { PresentedToken($0) })
    }

    private func userID(_ number: Int) -> UserID { UserID(rawValue: "usr_\(number)") }

    /// A narrow hash makes many tokens share a slot; a wide one is the real thing.
    @Test("It is a dictionary, also where many tokens share a slot", arguments: [UInt64(7), .max])
    func isADictionary(mask: UInt64) throws {
        let random = RandomSource.seeded(mask ^ 99)
        let seed = PresentedToken.HashSeed(from: random)
        var table = TokenTable<RejectedToken>()
        var model: [Int: UserID] = [:]
        for _ in 0..<40_000 {
            let draw = random.bytes(3)
            let number = Int(draw[0]) % 200
            let token = try token(number)
            let hash = token.hash(keyed: seed) & mask
            switch draw[1] % 8 {
            case 0...3:
                // Two users in turn at one token: the later one counts.
                let userID = userID(number + Int(draw[2] % 2) * 1_000)
                table.insert(RejectedToken(token: token, userID: userID), hash: hash)
                model[number] = userID
            case 4...6:
                let userID = userID(number)
                let isThere = model[number] == userID
                #expect((table.remove(hash: hash, of: userID)?.token == token) == isThere)
                if isThere { model[number] = nil }
            default:
                if draw[2] < 4 {
                    table = TokenTable()
                    model = [:]
                } else if draw[2] < 16, table.nextSize <= 1_024 {
                    table.reserve(table.nextSize)
                }
            }
            #expect(table.count == model.count)
            let probe = Int(draw[2]) % 200
            let probed = try self.token(probe)
            #expect(table.find(probed, hash: probed.hash(keyed: seed) & mask)?.userID == model[probe])
        }
    }

    @Test("Eviction takes out each token once")
    func eviction() throws {
        let seed = PresentedToken.HashSeed(from: .seeded(5))
        var table = TokenTable<RejectedToken>()
        for number in 0..<500 {
            let token = try token(number)
            table.insert(RejectedToken(token: token, userID: userID(number)), hash: token.hash(keyed: seed))
        }
        var evicted: Set<UserID> = []
        while let entry = table.evict() { evicted.insert(try #require(entry.userID)) }
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
