package torture

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// diskSize is the size of a disk that can be filled.
const diskSize = "size=6g"

// A disk is a file system in memory (tmpfs).
type disk struct {
	dir      string
	preserve bool // unmount copies its content to dir + "-kept"
}

// mountDisk mounts a disk on a directory. It requires the right to mount.
func mountDisk(dir string) (*disk, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, diskSize); err != nil {
		return nil, fmt.Errorf("mount a disk: %w", err)
	}
	return &disk{dir: dir}, nil
}

// unmount removes the disk and its content, unless the content is to be preserved.
func (d *disk) unmount() error {
	var err error
	if d.preserve {
		_ = d.removeFiller() // usually there is none
		err = os.CopyFS(d.dir+"-kept", os.DirFS(d.dir))
	}
	return errors.Join(err, syscall.Unmount(d.dir, syscall.MNT_DETACH))
}

// readOnly remounts the disk read-only or read-write. No file may be open for writing.
func (d *disk) readOnly(on bool) error {
	flags := uintptr(syscall.MS_REMOUNT)
	if on {
		flags |= syscall.MS_RDONLY
	}
	return syscall.Mount("tmpfs", d.dir, "tmpfs", flags, diskSize)
}

// fill uses all free blocks.
func (d *disk) fill() error {
	filler, err := os.Create(d.filler())
	if err != nil {
		return err
	}
	return errors.Join(fillUp(filler), filler.Close())
}

func fillUp(filler *os.File) error {
	for size := int64(1 << 30); size > 0; {
		end, err := filler.Seek(0, io.SeekEnd)
		if err != nil {
			return err
		}
		if err := syscall.Fallocate(int(filler.Fd()), 0, end, size); err != nil {
			if !errors.Is(err, syscall.ENOSPC) && !errors.Is(err, syscall.EINTR) {
				return err
			}
			size /= 2
		}
	}
	return nil
}

// removeFiller frees the blocks again.
func (d *disk) removeFiller() error { return os.Remove(d.filler()) }

func (d *disk) filler() string { return filepath.Join(d.dir, "filler") }

// tear appends a torn write to the newest block of a stream, as after a power failure: the first part of a record.
func tear(store, stream string) error {
	blocks, err := filepath.Glob(filepath.Join(store, "jetstream", "*", "streams", stream, "msgs", "*.blk"))
	if err != nil {
		return err
	}
	if len(blocks) == 0 {
		return fmt.Errorf("no blocks of %s below %s", stream, store)
	}
	newest := slices.MaxFunc(blocks, func(a, b string) int {
		return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) // names are numbers
	})
	content, err := os.ReadFile(newest)
	if err != nil {
		return err
	}
	block, err := os.OpenFile(newest, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = block.Write(content[:min(len(content), 300)]) // the beginning of the first record, in place of the next
	return errors.Join(err, block.Close())
}
