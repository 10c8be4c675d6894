import Foundation

/// The files of a deployment, kept to be copied: a test that begins with a deployment need not make one, which takes the
/// hash of a password.
package struct PreparedFiles: Sendable {
    private let contents: [(suffix: String, data: Data)]
    private let masterKeys: Data

    /// Reads the files of a deployment that nobody has open.
    package init(of files: InstallationFiles) throws {
        contents = ["", "-wal"].compactMap { suffix in
            let data = FileManager.default.contents(atPath: files.database + suffix)
            return data.map { (suffix, $0) }
        }
        masterKeys = try Data(contentsOf: URL(fileURLWithPath: files.masterKeys))
    }

    /// Writes them into another directory, with the rights that they need.
    package func copy(to files: InstallationFiles) throws {
        for (path, data) in contents.map({ (files.database + $0.suffix, $0.data) }) + [(files.masterKeys, masterKeys)] {
            let isNew = FileManager.default.createFile(
                atPath: path, contents: data, attributes: [.posixPermissions: 0o600])
            if !isNew { throw CocoaError(.fileWriteUnknown) }
        }
    }

    /// What ``InstallationFiles/initialise(email:name:)`` makes.
    fileprivate static let initialised = Result {
        let files = try InstallationFiles()
        let password = try files.initialise()
        return (files: try PreparedFiles(of: files), password: password)
    }
}

extension InstallationFiles {
    /// The same as ``initialise(email:name:)`` with its defaults, but copied: all copies have the same account and the
    /// same master keys.
    ///
    /// - Returns: the operator's password.
    @discardableResult
    package func copyInitialised() throws -> String {
        let initialised = try PreparedFiles.initialised.get()
        try initialised.files.copy(to: self)
        return initialised.password
    }
}
