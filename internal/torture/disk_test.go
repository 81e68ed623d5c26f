package torture

import (
	"os"
	"path/filepath"
	"testing"
)

func TestPreservedDiskIsCopied(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "volume")
	d, err := mountDisk(dir)
	if err != nil {
		t.Skipf("mounting is not permitted: %v", err)
	}
	d.preserve = true
	for _, name := range []string{filepath.Join(dir, "block"), d.filler()} {
		if err := os.WriteFile(name, []byte("evidence"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.unmount(); err != nil {
		t.Fatal(err)
	}
	if content, err := os.ReadFile(filepath.Join(dir+"-kept", "block")); err != nil || string(content) != "evidence" {
		t.Errorf("%q, %v", content, err)
	}
	for _, gone := range []string{filepath.Join(dir, "block"), filepath.Join(dir+"-kept", "filler")} {
		if _, err := os.Stat(gone); !os.IsNotExist(err) {
			t.Errorf("%s still exists: %v", gone, err)
		}
	}
}
