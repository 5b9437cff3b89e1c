package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// freeBytes is what the file system of dir has left for this user.
func freeBytes(dir string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, err
	}
	return int64(st.Bavail) * int64(st.Bsize), nil
}

// allocate gives a file its first n bytes of disk blocks, and keeps its length.
func allocate(path string, n int64) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_KEEP_SIZE, 0, n), f.Close())
}

// inheritPrivate gives dir a default ACL (acl(5)) under which new files have
// mode 0600 at most, whatever mode and umask they are made with. A file system
// without ACLs leaves that to privateFiles.
func inheritPrivate(dir string) error {
	// linux/posix_acl_xattr.h: a version, then entries of tag, permissions, id.
	const version, owner, group, other = 2, 0x01, 0x04, 0x20
	acl := binary.LittleEndian.AppendUint32(nil, version)
	for _, e := range [][2]uint16{{owner, 6}, {group, 0}, {other, 0}} {
		acl = binary.LittleEndian.AppendUint16(acl, e[0])
		acl = binary.LittleEndian.AppendUint16(acl, e[1])
		acl = binary.LittleEndian.AppendUint32(acl, 0xffffffff)
	}
	err := unix.Setxattr(dir, "system.posix_acl_default", acl, 0)
	if err != nil && !errors.Is(err, unix.ENOTSUP) {
		return fmt.Errorf("close new files in the directory to others: %w", err)
	}
	return nil
}
