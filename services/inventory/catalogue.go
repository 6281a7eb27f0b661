package main

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
	"time"

	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/unit"
)

// product is a product of the catalogue.
type product struct {
	SKU         string
	Name        string
	Description string
	Image       string // path of the picture
	Price       messages.Money
	Retired     bool  // not sold any more, until it is brought back; orders that were accepted go on
	Version     int64 // rises when one of the fields above changes
	CreatedAt   time.Time
	UpdatedAt   time.Time // of the fields that operators decide
	Stock       stock
}

// changed returns the event that announces the product.
func (p product) changed() messages.Message {
	return messages.ProductChanged{SKU: p.SKU, Version: p.Version, Name: p.Name, Description: p.Description, Image: p.Image, Price: p.Price, Retired: p.Retired}
}

// edition identifies what operators have decided about a product. It is the part of the entity tag that If-Match compares. The
// rest of the tag changes with each order: an edit that required an unchanged rest could hardly ever succeed (docs/adr/0030).
func (p product) edition() string {
	text := fmt.Appendf(nil, "%q %q %d %s %d %d", p.Name, p.Description, p.Price.Amount, p.Price.Currency, p.Stock.ReorderPoint, p.Stock.ReorderQuantity)
	if p.Retired { // all other tags are the same in the release before, which runs beside this one during an upgrade
		text = append(text, " retired"...)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

// matches reports whether a product's tag belongs to its current edition.
func (p product) matches(tag string) bool {
	edition, _, _ := strings.Cut(tag, "-")
	return edition == p.edition()
}

var skuFormat = regexp.MustCompile(`^[A-Z0-9][A-Z0-9-]{0,63}$`)

func imagePath(sku string) string { return "/api/products/" + sku + "/image" }

//go:embed images/*.svg
var images embed.FS

// picture returns the drawing of a product; for a product without one, a drawing that fits any product.
func picture(sku string) (svg []byte, own bool) {
	if svg, err := images.ReadFile("images/" + sku + ".svg"); err == nil && skuFormat.MatchString(sku) {
		return svg, true
	}
	svg, err := images.ReadFile("images/any.svg")
	if err != nil { // cannot fail: it is compiled in
		panic(err)
	}
	return svg, false
}

// seeds is the catalogue that the shop starts with. Some products have few units and are reordered in small numbers, so that
// orders have to wait. The print is never reordered, so that it can be sold out.
var seeds = []product{
	seed("BEANS-HOUSE", "House blend coffee, 250 g", 1150, 180, 40, 120,
		"Whole beans from two small cooperatives, roasted every Tuesday. Chocolate, hazelnut and a little orange peel; made for filter, forgiving in a moka pot."),
	seed("CLOCK-ARC", "Arc desk clock", 4500, 18, 4, 12,
		"A silent sweep movement in a solid beech arc. Large enough to read from across the room, quiet enough to forget."),
	seed("DRIPPER-CLAY", "Clay pour-over dripper", 2850, 26, 8, 20,
		"Thrown stoneware with deep spiral ribs for an even, unhurried brew. Takes size 2 paper filters and sits on any mug."),
	seed("KETTLE-SWAN", "Swan-neck kettle, 0.9 l", 7900, 9, 2, 6,
		"A slim spout that pours exactly where you point it, a thermometer in the lid and a handle that stays cool. For every kind of hob."),
	seed("LAMP-DESK", "Folding desk lamp", 6900, 12, 3, 10,
		"A warm, dimmable light on a steel arm that folds in three places. The shade turns all the way round, so the wall can be lit too."),
	seed("MAT-FELT", "Felt desk mat, 80 × 30 cm", 3900, 34, 10, 25,
		"Pressed merino wool with a cork back. Keeps keyboard and cup in place and takes the chill off a cold desk."),
	seed("MUG-BLUE", "Stoneware mug, blue", 1299, 120, 30, 100,
		"A generous 330 ml mug with a deep blue reactive glaze, so that no two are quite the same. Dishwasher and microwave safe."),
	seed("MUG-TRAVEL", "Insulated travel mug, 350 ml", 2490, 60, 15, 40,
		"Double-walled steel that keeps coffee hot for six hours, with a lid that seals completely and comes apart for cleaning."),
	seed("NOTEBOOK-DOT", "Dotted notebook, A5", 990, 200, 50, 150,
		"160 numbered pages of 100 g paper that fountain pens like, thread-bound so that it lies flat from the first page to the last."),
	seed("PEN-FOUNTAIN", "Fountain pen, fine nib", 3450, 40, 10, 30,
		"A brass barrel with a matt finish, a fine steel nib and a converter in the box. It gets better with every page."),
	seed("PENCILS-12", "Twelve cedar pencils", 790, 150, 40, 100,
		"Incense cedar with a smooth HB core, stained in three colours. They sharpen to a clean point and smell like a workshop."),
	seed("PLANT-ALOE", "Small aloe in a clay pot", 1590, 20, 5, 15,
		"A desk companion that asks for a spoon of water every other week and a bit of sun. Pot and saucer included."),
	seed("PRINT-HARBOUR", "Harbour at Dawn, numbered print", 5900, 10, 0, 0,
		"A four-colour screen print on 300 g cotton paper, 30 × 40 cm, signed and numbered by the artist. There will be no second edition."),
}

func seed(sku, name string, cents int64, units, reorderPoint, reorderQuantity int, description string) product {
	return product{
		SKU: sku, Name: name, Description: description, Image: imagePath(sku), Price: messages.Money{Amount: cents, Currency: "EUR"}, Version: 1,
		Stock: stock{SKU: sku, Available: units, ReorderPoint: reorderPoint, ReorderQuantity: reorderQuantity},
	}
}

// stockUp adds the seeds that are missing to the catalogue. Replicas may do this at the same time: a replica whose insert fails
// because another has just added the same product decides again. Products that exist stay as operators have made them.
func (w *warehouse) stockUp(ctx context.Context, products []product) error {
	var added []string
	err := w.office.Do(ctx, unit.Decision[*work]{
		Name: func(w *work) {
			for _, p := range products {
				w.products.Name(p.SKU)
			}
		},
		Make: func(w *work) error {
			added = nil
			for _, p := range products {
				if _, exists := w.product(p.SKU); exists {
					continue
				}
				if p.Stock.Available > 0 {
					w.enter(movement{Reference: "seed", SKU: p.SKU, What: "initial", Quantity: p.Stock.Available})
				}
				w.put(p)
				w.send(ctx, p.changed())
				added = append(added, p.SKU)
			}
			return nil
		},
	})
	if err != nil {
		return fmt.Errorf("seed the catalogue: %w", err)
	}
	if len(added) > 0 {
		w.log.InfoContext(ctx, "products added", "skus", added)
	}
	return nil
}
