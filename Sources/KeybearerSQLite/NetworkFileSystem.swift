import Foundation
import Keybearer

#if canImport(Darwin)
import Darwin
#endif

/// Tells file systems that are another machine's: SQLite's locks and shared memory do not hold there, and with them
/// neither would WAL nor the revocation fence.
package enum NetworkFileSystem {
    /// Refuses a directory on a network file system. Where the system does not tell, it is let through.
    static func refuse(directory: String) throws {
        guard let type = type(ofDirectory: directory) else { return }
        throw KeybearerError(
            .unavailable,
            "The database is on a network file system (\(type)), where SQLite's locks do not hold. Put it on a local "
                + "disk.")
    }

    /// The type of a network file system, by the kernel's table of mounts; nil for local ones and unknown devices.
    ///
    /// - Parameters:
    ///   - device: `st_dev` of the directory. It finds the mount where a path would be led astray by links.
    ///   - mounts: the text of `/proc/self/mountinfo`, see proc(5).
    package static func type(ofDevice device: UInt64, mounts: String) -> String? {
        let major = (device >> 8) & 0xFFF | (device >> 32) & ~0xFFF
        let minor = device & 0xFF | (device >> 12) & ~0xFF & 0xFFFF_FFFF
        for line in mounts.split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.count > 3, words[2] == "\(major):\(minor)" else { continue }
            guard let dash = words.firstIndex(of: "-"), dash + 1 < words.count else { continue }
            return networkTypes.contains(String(words[dash + 1])) ? String(words[dash + 1]) : nil
        }
        return nil
    }

    private static let networkTypes: Set<String> = [
        "nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "ncpfs", "lustre", "fuse.sshfs", "fuse.glusterfs",
        "fuse.s3fs",
    ]

    private static func type(ofDirectory directory: String) -> String? {
        #if canImport(Darwin)
        var information = statfs()
        guard statfs(directory, &information) == 0, information.f_flags & UInt32(MNT_LOCAL) == 0 else { return nil }
        return "mounted from elsewhere"
        #else
        guard let device = try? FileManager.default.attributesOfItem(atPath: directory)[.systemNumber] as? NSNumber,
            let mounts = FileManager.default.contents(atPath: "/proc/self/mountinfo")
        else { return nil }
        return type(ofDevice: device.uint64Value, mounts: String(decoding: mounts, as: UTF8.self))
        #endif
    }
}
