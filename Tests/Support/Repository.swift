public import Foundation

/// The files of this repository that tests read: documents, examples, fixtures.
public enum Repository {
    private static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// A file or folder by its path from the root, such as `docs/errors.md`.
    public static func url(_ path: String) -> URL { root.appendingPathComponent(path) }

    /// The text of a file by its path from the root.
    public static func text(of path: String) throws -> String { try String(contentsOf: url(path), encoding: .utf8) }
}
