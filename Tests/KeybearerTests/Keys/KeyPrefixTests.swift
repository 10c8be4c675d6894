import Testing

@testable import Keybearer

/// What a ``KeyPrefix`` may be.
@Suite struct KeyPrefixTests {
    @Test(
        "Prefixes",
        arguments: [
            ("tdc_", true), ("a_", true), ("my_app_", true), ("k9_", true), ("abcdefghijklmno_", true),
            ("abcdefghijklmnop_", false), ("_", false), ("tdc", false), ("Tdc_", false), ("9a_", false),
            ("td-c_", false),
            ("", false), ("té_", false),
        ])
    func prefixes(text: String, isAccepted: Bool) {
        #expect((KeyPrefix(text) != nil) == isAccepted)
    }
}
