package chart

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	core "k8s.io/api/core/v1"
)

// namesFile matches variables of the bridge that name a file.
var namesFile = regexp.MustCompile(`_(FILE|CREDS|NKEY|CERT|KEY|CA)$`)

// checkSecrets checks that secret values are only in Secrets and that each secret's file is mounted.
func checkSecrets(t *testing.T, r *rendering, values map[string]any) {
	t.Helper()
	given, _ := values["secrets"].(map[string]any)
	for name, secret := range given {
		value, _ := secret.(map[string]any)["value"].(string)
		if value == "" {
			continue
		}
		found := false
		for _, o := range r.objects {
			if s, ok := o.(*core.Secret); ok {
				for _, content := range s.Data {
					found = found || string(content) == value
				}
				continue
			}
			if text, _ := json.Marshal(o); strings.Contains(string(text), value) {
				t.Errorf("%s is exposed in %T %s", name, o, o.GetName())
			}
		}
		if !found {
			t.Errorf("%s is in no Secret", name)
		}
		if strings.Contains(r.notes, value) {
			t.Errorf("%s is exposed in the notes", name)
		}
	}
	template, _ := r.workload(t)
	for variable, value := range r.env(t) {
		if namesFile.MatchString(variable) && !mounted(template.Spec, value) {
			t.Errorf("%s is %s, which is not mounted", variable, value)
		}
	}
	for _, s := range all[*core.Secret](r) {
		for _, source := range volume(template.Spec, "secrets").Projected.Sources {
			if source.Secret.Name == s.Name && s.Data[source.Secret.Items[0].Key] == nil {
				t.Errorf("the pod mounts key %s of Secret %s, which lacks that key", source.Secret.Items[0].Key, s.Name)
			}
		}
	}
}

// mounted reports whether a volume provides a file at a path. It cannot know the keys of Secrets that the chart does not
// create.
func mounted(pod core.PodSpec, path string) bool {
	for _, mount := range pod.Containers[0].VolumeMounts {
		file, below := strings.CutPrefix(path, mount.MountPath+"/")
		if !below {
			continue
		}
		if mount.SubPath != "" { // the file would never be updated
			return false
		}
		v := volume(pod, mount.Name)
		if v.Projected == nil {
			return v.Secret != nil
		}
		return slices.ContainsFunc(v.Projected.Sources, func(s core.VolumeProjection) bool { return s.Secret.Items[0].Path == file })
	}
	return false
}

func volume(pod core.PodSpec, name string) core.Volume {
	i := slices.IndexFunc(pod.Volumes, func(v core.Volume) bool { return v.Name == name })
	if i < 0 {
		return core.Volume{}
	}
	return pod.Volumes[i]
}
