import Keybearer
import Mustache

/// A Secret Key on its way into one page.
///
/// Templates write all of its characters; every description and dump of it, and so of a page that holds it, is the
/// key's prefix. A logged page model therefore gives no key away.
struct RevealedKey: Sendable {
    private let key: SecretKey

    /// Wraps the key that the page will show.
    init(_ key: SecretKey) {
        self.key = key
    }
}

extension RevealedKey: MustacheCustomRenderable {
    /// All of the key's characters, for the template.
    var renderText: String { key.characters }
    /// Never null: a page without a key holds nil instead.
    var isNull: Bool { false }
}

extension RevealedKey: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    var description: String { key.description }
    var debugDescription: String { description }
    var customMirror: Mirror { Mirror(self, children: []) }
}
