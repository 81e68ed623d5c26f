//go:build e2e

package browser

import (
	"bytes"
	"cmp"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/chromedp/chromedp"

	"mkio-bridge/internal/bridgetest"
)

var (
	takePictures = flag.Bool("pictures", false, "take the pictures of the documents")
	allPictures  = flag.String("all", "", "with -pictures: take every screen in both themes and widths into this `directory` instead")
)

// picturesDir has the pictures of the documents.
const picturesDir = "docs/pictures"

// documented are the pictures of the documents.
var documented = []string{
	"now-light-1280.png", "now-dark-1280.png", "resource-light-1280.png", "resource-dark-1280.png", "proof-light-1280.png",
}

// pictured are the addresses of the screens, by the name in the picture's file name.
var pictured = []struct{ name, address string }{
	{"now", ""},
	{"resources", "?v=resources"},
	{"resource", "?v=resource&resource=job/aurora-vod/ladder-hd/weather-01"},
	{"live", "?v=live"},
	{"stuck", "?v=stuck"},
	{"webhooks", "?v=webhooks"},
	{"unapplied", "?v=unapplied"},
	{"proof", "?v=proof"},
	{"setup", "?v=setup"},
}

// maxPictureHeight cuts long pages.
const maxPictureHeight = 2400

// TestPictures takes pictures of the console of mkio-bridge demo --console: make pictures.
func TestPictures(t *testing.T) {
	if !*takePictures {
		t.Skip("pictures are taken by make pictures")
	}
	dir := cmp.Or(*allPictures, bridgetest.RepositoryPath(picturesDir))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	console := demo(t)
	awaitScenes(t, console)
	for _, screen := range pictured {
		for _, l := range []look{{width: wide}, {width: wide, dark: true}, {width: narrow, height: 844}, {width: narrow, height: 844, dark: true}} {
			theme := "light"
			if l.dark {
				theme = "dark"
			}
			name := fmt.Sprintf("%s-%s-%d.png", screen.name, theme, l.width)
			if *allPictures == "" && !slices.Contains(documented, name) {
				continue
			}
			picture := takePicture(t, console, screen.address, l)
			if err := os.WriteFile(filepath.Join(dir, name), picture, 0o644); err != nil {
				t.Fatal(err)
			}
			t.Logf("%s: %d KB", name, len(picture)>>10)
		}
	}
}

// awaitScenes waits until everything has happened that the demo begins with.
func awaitScenes(t *testing.T, console string) {
	t.Helper()
	p := open(t, console, "?v=unapplied", look{})
	p.await("late-show-01")
	p.goTo("?v=resources&phase=failed")
	p.await("drone-01")
	p.goTo("?v=resources&name=weather-01&state=finished") // of its second life
	p.await("weather-01")
}

// takePicture takes a picture of a screen with all that can be scrolled to.
func takePicture(t *testing.T, console, address string, l look) []byte {
	t.Helper()
	p := open(t, console, address, l)
	p.awaitLoaded()
	p.awaitElement("nav .count") // the menu's numbers are of another request, which some screens use too
	if height := eval[int64](p, `document.documentElement.scrollHeight`); height > l.height {
		l.height = min(height, maxPictureHeight)
		p.must(p.setLook(l))
	}
	picture, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot())
	p.must(err)
	small, err := withPalette(picture)
	p.must(err)
	return small
}

// withPalette returns a PNG with a palette of 256 colours, which suffice for a page of few colours.
func withPalette(picture []byte) ([]byte, error) {
	decoded, err := png.Decode(bytes.NewReader(picture))
	if err != nil {
		return nil, err
	}
	counts := map[color.NRGBA]int{}
	bounds := decoded.Bounds()
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			counts[color.NRGBAModel.Convert(decoded.At(x, y)).(color.NRGBA)]++
		}
	}
	var frequent color.Palette
	for c := range counts {
		frequent = append(frequent, c)
	}
	slices.SortFunc(frequent, func(a, b color.Color) int {
		return cmp.Compare(counts[b.(color.NRGBA)], counts[a.(color.NRGBA)])
	})
	small := image.NewPaletted(bounds, frequent[:min(len(frequent), 256)])
	draw.Draw(small, bounds, decoded, bounds.Min, draw.Src) // the nearest colour, without dithering
	var b bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	err = encoder.Encode(&b, small)
	return b.Bytes(), err
}
