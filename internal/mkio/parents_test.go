package mkio_test

import (
	"slices"
	"testing"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
)

// Lists, keys and kinds agree on parents and children.
func TestParentsAndChildrenAgree(t *testing.T) {
	children := 0
	for _, child := range lifecycle.Kinds() {
		for _, kind := range mkio.ParentKinds(child) {
			children++
			if got := mkio.ChildKinds([]lifecycle.Kind{kind}); !slices.Contains(got, child) {
				t.Errorf("%s lies below %s, below which lie %v", child, kind, got)
			}
			parent, err := lifecycle.NewKey(kind, "p", "parent")
			if err != nil {
				t.Fatal(err)
			}
			below, ok := mkio.ListBelow(parent)
			if !ok || !slices.Equal(below.Kinds, []lifecycle.Kind{child}) {
				t.Errorf("the list below %s has kinds %v", parent, below.Kinds)
			}
			names := []string{"parent", "child"}
			if len(mkio.ParentKinds(child)) > 1 {
				names = append([]string{string(kind)}, names...)
			}
			key, err := lifecycle.NewKey(child, "p", names...)
			if err != nil {
				t.Fatal(err)
			}
			if got, ok := mkio.ParentOf(key); !ok || got != parent {
				t.Errorf("%s lies below %s, want %s", key, got, parent)
			}
		}
	}
	if children != 5 {
		t.Errorf("%d pairs of parent and child", children)
	}
	job, _ := lifecycle.NewKey(lifecycle.Job, "p", "t", "j")
	if parent, ok := mkio.ParentOf(job); ok {
		t.Errorf("%s lies below %s", job, parent)
	}
	if _, ok := mkio.ListBelow(job); ok {
		t.Errorf("a list lies below %s", job)
	}
}

func TestActiveProjectsHaveNames(t *testing.T) {
	got := mkio.ActiveProjects([]mkio.Project{{Name: "a", Active: true}, {Name: "b"}, {Active: true}, {Name: "c", Active: true}})
	if !slices.Equal(got, []string{"a", "c"}) {
		t.Errorf("%v", got)
	}
}
