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

// diskSize is how large a disk that can be filled is.
const diskSize = "size=6g"

// A disk is a file system of its own, in memory.
type disk struct {
	dir  string
	keep bool // what is on it is copied before it goes, to a directory beside its own
}

// mountDisk makes a directory a disk of its own. It needs the right to mount.
func mountDisk(dir string) (*disk, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, diskSize); err != nil {
		return nil, fmt.Errorf("mount a disk: %w", err)
	}
	return &disk{dir: dir}, nil
}

// unmount ends the disk. What is on it is gone with the memory, unless it is to be kept.
func (d *disk) unmount() error {
	var err error
	if d.keep {
		_ = d.free() // there is none as a rule
		err = os.CopyFS(d.dir+"-kept", os.DirFS(d.dir))
	}
	return errors.Join(err, syscall.Unmount(d.dir, syscall.MNT_DETACH))
}

// readOnly protects the disk from writes, or no longer. Nobody may have a file open to write it.
func (d *disk) readOnly(on bool) error {
	flags := uintptr(syscall.MS_REMOUNT)
	if on {
		flags |= syscall.MS_RDONLY
	}
	return syscall.Mount("tmpfs", d.dir, "tmpfs", flags, diskSize)
}

// fill takes all room that is left, to the last block.
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

// free gives the room back.
func (d *disk) free() error { return os.Remove(d.filler()) }

func (d *disk) filler() string { return filepath.Join(d.dir, "filler") }

// tear appends to the newest block of a stream in a store what a power failure leaves of a write: the first part of a
// record.
func tear(store, stream string) error {
	blocks, err := filepath.Glob(filepath.Join(store, "jetstream", "*", "streams", stream, "msgs", "*.blk"))
	if err != nil {
		return err
	}
	if len(blocks) == 0 {
		return fmt.Errorf("no blocks of %s are below %s", stream, store)
	}
	newest := slices.MaxFunc(blocks, func(a, b string) int {
		return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) // they are numbered
	})
	content, err := os.ReadFile(newest)
	if err != nil {
		return err
	}
	block, err := os.OpenFile(newest, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = block.Write(content[:min(len(content), 300)]) // the beginning of the first record, as if it were the next
	return errors.Join(err, block.Close())
}
