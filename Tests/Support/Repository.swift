package import Foundation

/// The files of this repository that tests read: documents, examples, fixtures.
package enum Repository {
    private static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// A file or folder by its path from the root, such as `docs/errors.md`.
    package static func url(_ path: String) -> URL { root.appendingPathComponent(path) }

    /// The text of a file by its path from the root.
    package static func text(of path: String) throws -> String { try String(contentsOf: url(path), encoding: .utf8) }
}
