import Crypto
import Testing

@testable import KeybearerServer

/// ``QRCode`` with its ``QRSymbol``, ``QRVersion`` and ``ReedSolomon``: every module as the Python package qrcode 8.2
/// draws it, an encoder of its own.
@Suite struct QRCodeTests {
    private static let address =
        "otpauth://totp/Keybearer:ada%40example.com?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Keybearer"

    /// The first half of the SHA-256 of all modules, row by row, as the digits 1 and 0.
    private static func digest(_ code: QRCode) -> String {
        let text = code.modules.map { $0 ? "1" : "0" }.joined()
        return SHA256.hash(data: Array(text.utf8)).prefix(16).map {
            let digits = String($0, radix: 16)
            return digits.count == 1 ? "0" + digits : digits
        }.joined()
    }

    @Test("A small code, module by module")
    func small() throws {
        let expected = """
            #######.##....#######
            #.....#.##.##.#.....#
            #.###.#..###..#.###.#
            #.###.#.#####.#.###.#
            #.###.#..#.#..#.###.#
            #.....#....##.#.....#
            #######.#.#.#.#######
            ........#..##........
            #.##.###.#.##.#..#.##
            ###.....######.####.#
            ##.##.#....#.###...##
            #.#..#.#...#.....#..#
            #.#..####...####.#..#
            ........#.##..#####..
            #######.##########...
            #.....#.#.#......###.
            #.###.#...#.#.#..##..
            #.###.#.##.#..#....#.
            #.###.#.#...#.#......
            #.....#..#...#.#....#
            #######.#.#..#.##.#..
            """
        let code = try #require(QRCode("keybearer", mask: 3))
        let rows = (0..<code.size).map { row in
            String((0..<code.size).map { code[row, $0] ? "#" : "." })
        }
        #expect(code.size == 21)
        #expect(rows == expected.split(separator: "\n").map(String.init))
    }

    @Test(
        "Every mask",
        arguments: [
            (
                "A",
                [
                    "3f594cfc1843904d93447f4958be7aa4", "b13656d3f3aedff53591fe62dc8bd489",
                    "e7897faf8824acb36d155c54ee5e25e3", "2092585037e9da5651bc5530c31a5a1f",
                    "8e0f600c0a22ae3792bd6e5c454180d8", "508b70347f1972792a339038b36e62af",
                    "59df51b0ccc995ff3406e73594d976a6", "54c30e10497d65da89152deae4d50532",
                ]
            ),
            (
                address,
                [
                    "09d6e863768f90bf7c113bafdf34311a", "5a1de03a6c71fffcb6f45cafb82844c4",
                    "9f9a5b35ffa44344827e58340438a18b", "5a0a52b76e5887fb2695847f13a15fb6",
                    "9ab69381b7a8d888aa4b5392ee0c13fb", "be7d6afc281b59c3dc5407a2ac18b63c",
                    "ccb88fdf589bb4ae6fb711bae0ffdd3a", "dbf8f6cc33720a4acbf928e90fa3978c",
                ]
            ),
        ])
    func masks(text: String, digests: [String]) throws {
        for (mask, digest) in digests.enumerated() {
            #expect(Self.digest(try #require(QRCode(text, mask: mask))) == digest, "mask \(mask)")
        }
    }

    @Test(
        "Versions with blocks of two lengths, a long count, and version information",
        arguments: [
            (150, "x", 8, "ceeb4938731354aa5e5f007aa985860d"), (213, "y", 10, "2136faba22f7c678e8125e0212bf6b1e"),
            (214, "z", 11, "804a43968ef0b29ebfd0492be250eaa8"), (200, "ü", 15, "65311822c60d277a88d04c42784b58c6"),
            (666, "w", 20, "0fccdf48add17ffc8e38e499f475ce95"),
        ])
    func versions(count: Int, letter: String, version: Int, digest: String) throws {
        let code = try #require(QRCode(String(repeating: letter, count: count), mask: 5))
        #expect(code.size == 17 + 4 * version)
        #expect(Self.digest(code) == digest)
    }

    @Test("The mask that is chosen is the one that the other encoder chooses")
    func bestMask() {
        #expect(QRCode(Self.address) == QRCode(Self.address, mask: 4))
    }

    @Test("What is too long makes no picture")
    func tooLong() {
        #expect(QRCode(String(repeating: "w", count: 667)) == nil)
    }

    @Test("The path draws each dark module once, behind four light ones")
    func path() throws {
        let code = try #require(QRCode("keybearer", mask: 3))
        #expect(code.pictureSize == 29)
        #expect(code.pathData.hasPrefix("M4 4h7v1h-7zM12 4h2v1h-2z"))
        let lengths = code.pathData.matches(of: /h(\d+)v1/).compactMap { Int($0.1) }
        #expect(lengths.reduce(0, +) == code.modules.count { $0 })
        #expect(code.pathData.allSatisfy { "Mhvz- 0123456789".contains($0) })
    }
}
