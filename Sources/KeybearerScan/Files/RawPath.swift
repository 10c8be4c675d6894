import Foundation

/// A path as the system has it: bytes, which need not be UTF-8.
struct RawPath: Hashable {
    let bytes: [UInt8]

    init(_ text: some StringProtocol) { bytes = Array(text.utf8) }
    init(bytes: [UInt8]) { self.bytes = bytes }

    /// The path of what a folder has under a name.
    func appending(_ name: [UInt8]) -> RawPath {
        RawPath(bytes: bytes.last == UInt8(ascii: "/") ? bytes + name : bytes + [UInt8(ascii: "/")] + name)
    }

    func appending(_ name: String) -> RawPath { appending(Array(name.utf8)) }

    /// The name at the end of it.
    var name: ArraySlice<UInt8> { bytes.split(separator: UInt8(ascii: "/")).last ?? [] }

    /// Calls `body` with the path as the system's calls want it.
    func withCharacters<Result>(_ body: (UnsafePointer<CChar>) -> Result) -> Result {
        let characters = bytes.map { CChar(bitPattern: $0) } + [0]
        return characters.withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress else { preconditionFailure("there is always the zero") }
            return body(base)
        }
    }

    /// What is there; nil where nothing is, or nothing that can be seen.
    ///
    /// - Parameter followsLink: whether of a symbolic link its target is meant.
    func status(followsLink: Bool) -> stat? {
        var status = stat()
        return withCharacters { followsLink ? stat($0, &status) : lstat($0, &status) } == 0 ? status : nil
    }

    var isFolder: Bool { status(followsLink: true).map { $0.st_mode & S_IFMT == S_IFDIR } ?? false }
    var isFile: Bool { status(followsLink: true).map { $0.st_mode & S_IFMT == S_IFREG } ?? false }

    /// The path without links and dots; nil where nothing is.
    var canonical: RawPath? {
        withCharacters { path in
            guard let found = realpath(path, nil) else { return nil }
            defer { free(found) }
            return RawPath(bytes: Array(UnsafeRawBufferPointer(start: found, count: strlen(found))))
        }
    }

    /// The target of a symbolic link.
    var target: [UInt8]? {
        withCharacters { path in
            let size = 4_096
            let bytes = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
                count = buffer.withMemoryRebound(to: CChar.self) { characters in
                    characters.baseAddress.map { max(0, readlink(path, $0, size)) } ?? 0
                }
            }
            return bytes.isEmpty ? nil : bytes
        }
    }

    /// The names in a folder, in the order of their bytes.
    ///
    /// - Throws: ``Unreadable`` when it cannot be listed.
    func names() throws(Unreadable) -> [[UInt8]] {
        guard let folder = withCharacters({ opendir($0) }) else { throw Unreadable(systemError: errno) }
        defer { closedir(folder) }
        var names: [[UInt8]] = []
        while true {
            errno = 0
            guard let found = readdir(folder) else { break }
            let name = withUnsafeBytes(of: found.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
            if name != [46], name != [46, 46] { names.append(name) }
        }
        guard errno == 0 else { throw Unreadable(systemError: errno) }
        return names.sorted { $0.lexicographicallyPrecedes($1) }
    }

    /// The first bytes of a small file; nil where it cannot be read.
    func smallFile() -> [UInt8]? {
        let file = withCharacters { open($0, O_RDONLY | O_CLOEXEC | O_NONBLOCK) }
        guard file >= 0 else { return nil }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
        return [UInt8](unsafeUninitializedCapacity: 65_536) { $1 = max(0, read(file, $0.baseAddress, 65_536)) }
    }
}
