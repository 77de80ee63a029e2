package regex

// classNames are the names that RE2J 1.8 knows after \p: general categories and scripts of Unicode 6.0, in this very
// spelling. Go knows more, and aliases in any case.
var classNames = map[string]bool{
	"Any": true,

	"C": true, "Cc": true, "Cf": true, "Co": true, "Cs": true, "L": true, "Ll": true, "Lm": true, "Lo": true,
	"Lt": true, "Lu": true, "M": true, "Mc": true, "Me": true, "Mn": true, "N": true, "Nd": true, "Nl": true,
	"No": true, "P": true, "Pc": true, "Pd": true, "Pe": true, "Pf": true, "Pi": true, "Po": true, "Ps": true,
	"S": true, "Sc": true, "Sk": true, "Sm": true, "So": true, "Z": true, "Zl": true, "Zp": true, "Zs": true,

	"Arabic": true, "Armenian": true, "Avestan": true, "Balinese": true, "Bamum": true, "Batak": true, "Bengali": true,
	"Bopomofo": true, "Brahmi": true, "Braille": true, "Buginese": true, "Buhid": true, "Canadian_Aboriginal": true,
	"Carian": true, "Cham": true, "Cherokee": true, "Common": true, "Coptic": true, "Cuneiform": true, "Cypriot": true,
	"Cyrillic": true, "Deseret": true, "Devanagari": true, "Egyptian_Hieroglyphs": true, "Ethiopic": true,
	"Georgian": true, "Glagolitic": true, "Gothic": true, "Greek": true, "Gujarati": true, "Gurmukhi": true,
	"Han": true, "Hangul": true, "Hanunoo": true, "Hebrew": true, "Hiragana": true, "Imperial_Aramaic": true,
	"Inherited": true, "Inscriptional_Pahlavi": true, "Inscriptional_Parthian": true, "Javanese": true, "Kaithi": true,
	"Kannada": true, "Katakana": true, "Kayah_Li": true, "Kharoshthi": true, "Khmer": true, "Lao": true, "Latin": true,
	"Lepcha": true, "Limbu": true, "Linear_B": true, "Lisu": true, "Lycian": true, "Lydian": true, "Malayalam": true,
	"Mandaic": true, "Meetei_Mayek": true, "Mongolian": true, "Myanmar": true, "New_Tai_Lue": true, "Nko": true,
	"Ogham": true, "Ol_Chiki": true, "Old_Italic": true, "Old_Persian": true, "Old_South_Arabian": true,
	"Old_Turkic": true, "Oriya": true, "Osmanya": true, "Phags_Pa": true, "Phoenician": true, "Rejang": true,
	"Runic": true, "Samaritan": true, "Saurashtra": true, "Shavian": true, "Sinhala": true, "Sundanese": true,
	"Syloti_Nagri": true, "Syriac": true, "Tagalog": true, "Tagbanwa": true, "Tai_Le": true, "Tai_Tham": true,
	"Tai_Viet": true, "Tamil": true, "Telugu": true, "Thaana": true, "Thai": true, "Tibetan": true, "Tifinagh": true,
	"Ugaritic": true, "Unknown": true, "Vai": true, "Yi": true,
}
