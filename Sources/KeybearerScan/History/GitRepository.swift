import Foundation

/// Finds repositories by what is in their folders.
enum GitRepository {
    /// Whether a folder has what a repository has: a work tree's `.git`, a bare repository, or a submodule's folder in
    /// `.git/modules`. A broken one counts: what git says about it is a problem.
    static func isRepository(_ folder: RawPath) -> Bool {
        guard folder.appending("objects").isFolder else { return false }
        return folder.appending("HEAD").status(followsLink: false) != nil || folder.name.elementsEqual(".git".utf8)
    }

    /// Whether git reads a file of its folder `objects`.
    ///
    /// - Parameters:
    ///   - folder: the folder in it that the file is in.
    ///   - names: all files of that folder: a pack without its index is not read.
    static func isObject(_ name: [UInt8], in folder: [UInt8], of names: [[UInt8]]) -> Bool {
        func isHexadecimal(_ text: some Sequence<UInt8>) -> Bool {
            text.allSatisfy { (48...57).contains($0) || (97...102).contains($0) }
        }
        if folder.count == 2, isHexadecimal(folder) { return [38, 62].contains(name.count) && isHexadecimal(name) }
        if folder.elementsEqual("info".utf8) {
            return ["packs", "alternates", "commit-graph", "commit-graphs"].contains { name.elementsEqual($0.utf8) }
        }
        guard folder.elementsEqual("pack".utf8), let dot = name.lastIndex(of: UInt8(ascii: ".")) else { return false }
        if name.elementsEqual("multi-pack-index".utf8) { return true }
        let stem = Array(name[..<dot])
        guard stem.starts(with: "pack-".utf8), isHexadecimal(stem.dropFirst(5)) else { return false }
        return names.contains(stem + Array(".idx".utf8)) && names.contains(stem + Array(".pack".utf8))
    }

    /// The folder that a file `.git` names: of a submodule its own, of a linked work tree the one that it shares.
    static func folder(linkedBy file: RawPath) -> RawPath? {
        guard let text = file.smallFile(), text.starts(with: "gitdir: ".utf8) else { return nil }
        let parent = Array(file.bytes.dropLast(file.name.count))
        let line = Array(text.dropFirst("gitdir: ".utf8.count))
        let folder = path(line, in: RawPath(bytes: parent.isEmpty ? [UInt8(ascii: ".")] : parent))
        guard folder.isFolder else { return nil }
        guard let common = folder.appending("commondir").smallFile() else { return folder.canonical }
        return path(common, in: folder).canonical
    }

    private static func path(_ line: [UInt8], in folder: RawPath) -> RawPath {
        let name = Array(line.prefix { $0 != 10 && $0 != 13 && $0 != 0 })
        return name.first == UInt8(ascii: "/") ? RawPath(bytes: name) : folder.appending(name)
    }

    /// How many commits of a shallow clone have parents that are not here; nil for one that is not shallow.
    static func shallowCommits(of folder: RawPath) -> Int? {
        let lines = folder.appending("shallow").smallFile()?.split(separator: 10).count ?? 0
        return lines > 0 ? lines : nil
    }

    /// Whether a clone left out objects, to fetch them when they are needed.
    static func isPartial(_ folder: RawPath) -> Bool {
        let names = (try? folder.appending("objects").appending("pack").names()) ?? []
        return names.contains { $0.suffix(9).elementsEqual(".promisor".utf8) }
    }
}
