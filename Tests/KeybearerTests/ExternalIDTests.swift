import TestSupport
import Testing

@testable import Keybearer

/// An ``ExternalID`` and the ``Reference`` that holds one.
@Suite struct ExternalIDTests {
    @Test("1 to 255 visible ASCII characters, but those that end or change a path")
    func characters() {
        for byte in UInt8.min...UInt8.max {
            let text = "a" + String(UnicodeScalar(byte)) + "b"
            let isGood = (33...126).contains(byte) && !#"/\?#%"#.utf8.contains(byte)
            #expect((ExternalID(parsing: text) != nil) == isGood, "\(byte)")
        }
        for text in ["1", "a:b", "ext:1", "usr_1", "..a", "a..", ".a.", String(repeating: "x", count: 255)] {
            #expect(ExternalID(parsing: text)?.rawValue == text)
        }
        for text in ["", ".", "..", "...", "é", "a b", "a\n", "\u{0}", String(repeating: "x", count: 256)] {
            #expect(ExternalID(parsing: text) == nil, "\(text.debugDescription.prefix(20))")
        }
    }

    @Test("A reference is one of our ids or ext: with the product's, and nothing else")
    func references() {
        let id = UserID.random(from: .seeded(1))
        #expect(Reference<UserID>(id.rawValue) == .id(id))
        #expect(Reference<UserID>("ext:42") == .external(ExternalID(rawValue: "42")))
        // Byte for byte, and once.
        #expect(Reference<UserID>("ext:A") != Reference<UserID>("ext:a"))
        #expect(Reference<UserID>("ext:ext:42") == .external(ExternalID(rawValue: "ext:42")))
        #expect(Reference<UserID>("ext:" + id.rawValue) == .external(ExternalID(rawValue: id.rawValue)))
        let workspace = WorkspaceID.random(from: .seeded(1)).rawValue
        for text in ["", "ext:", "ext:..", "ext:a/b", "EXT:42", "42", workspace, "usr_", "usr_a/b", "ext:a%2fb"] {
            #expect(Reference<UserID>(text) == nil, "\(text)")
        }
        for text in [id.rawValue, "ext:42"] { #expect(Reference<UserID>(text)?.text == text) }
    }
}
