"""Facts about the machine: what it consists of, and what one action of each part takes."""

from validation.fact import Fact, Section

ROUNDED = "the paper adds unrounded rows, archsim the printed ones"

TABLE_2 = Section(
    "A",
    "Area and power",
    """\
The YAML has the rows of the paper's Table 2. archsim turns their powers into energies per action
([cost.md](cost.md)); the peak power of a component is what its actions cost when all of it is busy.
All rows come back; some sums differ in the last digit.""",
    (
        Fact("areas and powers of rows that come back", "28", "", "numbers_that_come_back()", "Table 2"),
        Fact("analog module, area", "0.47", "mm2", "area_mm2('analog')", "Table 2"),
        Fact("analog module, power", "930.69", "mW", "power_mw('analog')", "Table 2"),
        Fact("digital module with SFU, area", "8.01", "mm2", "area_mm2('digital', 'sfu')", "Table 2"),
        Fact(
            "digital module with SFU, power",
            "6532.05",
            "mW",
            "power_mw('digital', 'sfu')",
            "Table 2",
            ROUNDED,
        ),
        Fact(
            "analog modules of a PU, area",
            "11.24",
            "mm2",
            "24 * area_mm2('analog')",
            "Table 2",
            "24 x 0.47 = 11.28: the printed sum does not follow from the printed rows",
        ),
        Fact(
            "analog modules of a PU, power", "22336.59", "mW", "24 * power_mw('analog')", "Table 2", ROUNDED
        ),
        Fact("digital modules of a PU, area", "64.05", "mm2", "8 * area_mm2('digital', 'sfu')", "Table 2"),
        Fact(
            "digital modules of a PU, power",
            "52256.41",
            "mW",
            "8 * power_mw('digital', 'sfu')",
            "Table 2",
            ROUNDED,
        ),
        Fact(
            "chip of 24 PUs, area",
            "",
            "mm2",
            "24 * (24 * area_mm2('analog') + 8 * area_mm2('digital', 'sfu'))",
            "",
            "twice a reticle of 858 mm2, without buses and interconnect (not in Table 2)",
        ),
    ),
)

ANALOG = Section(
    "B",
    "Analog arrays",
    """\
An array is 64 x 128 cells; an 8-bit weight takes 8 columns as SLC and 4 as 2-bit MLC. Energies are those
of a matrix that fills its arrays. The paper does not say in which mode its ADC draws 512 mW: the preset
reads them as the 7-bit (MLC) figure; `--set pu.parts.analog.adc.reference_bits=6` is the other reading.""",
    (
        Fact(
            "arrays of a chip", "294912", "arrays", "machine().parts['analog'].capacity * 24", "section 5.4"
        ),
        Fact("weights of a PU, SLC", "12", "MiB", "stored_mib('bert_large', 'l0', SLC, NO_SVD)", "derived"),
        Fact("weights of a PU, MLC", "24", "MiB", "stored_mib('bert_large', 'l0', MLC, NO_SVD)", "derived"),
        Fact(
            "layer of BERT-Large as SLC, no SVD",
            "12288",
            "arrays",
            "weights('bert_large', 'l0', SLC, NO_SVD).units",
            "derived",
            "all 12288 of a PU, to the last cell",
        ),
        Fact("one read", "100", "ns", "one_input('occupancy', SLC) / 8", "section 5.4"),
        Fact("one INT8 input, SLC", "800", "ns", "one_input('occupancy', SLC)", "derived"),
        Fact(
            "one INT8 input, MLC",
            "800",
            "ns",
            "one_input('occupancy', MLC)",
            "derived",
            "half the arrays and conversions, the same time",
        ),
        Fact(
            "INT8 input to result",
            "",
            "ns",
            "one_input('latency', SLC)",
            "",
            "100 + 7 x 100, 100 for the last conversions, shift-and-add, register",
        ),
        Fact("7-bit conversion", "0.78", "pJ", "price_pj('analog', 'adc.mlc')", "derived"),
        Fact("linear MAC, SLC", "1.03", "pJ", "mac_pj('analog', SLC)", "derived"),
        Fact("linear MAC, MLC", "0.71", "pJ", "mac_pj('analog', MLC)", "derived"),
        Fact(
            "linear MAC, SLC, ADC power read at 6 b",
            "1.42",
            "pJ",
            "mac_pj('analog', SLC, SIX_BITS)",
            "derived",
        ),
        Fact(
            "linear MAC, MLC, ADC power read at 6 b",
            "1.10",
            "pJ",
            "mac_pj('analog', MLC, SIX_BITS)",
            "derived",
        ),
        Fact(
            "ADC energy of a weight, SLC over MLC",
            "1",
            "x",
            "mac_pj('analog.adc', SLC) / mac_pj('analog.adc', MLC)",
            "section 5.4",
            "half the conversions, each of twice the energy",
        ),
        Fact(
            "all else in the array, SLC over MLC",
            "2",
            "x",
            "(mac_pj('analog', SLC) - mac_pj('analog.adc', SLC))"
            " / (mac_pj('analog', MLC) - mac_pj('analog.adc', MLC))",
            "section 5.4",
        ),
    ),
)

DIGITAL = Section(
    "C",
    "Digital modules",
    """\
A product of a-bit and b-bit numbers takes a x b NORs of three columns each, a row operation five cycles.""",
    (
        Fact(
            "INT8 products of a module",
            "273",
            "a cycle",
            "products_a_cycle()",
            "derived",
            "products may straddle rows; five whole ones in a row of 1024 columns would give 256",
        ),
        Fact(
            "12-bit scores times 8-bit values",
            "",
            "a cycle",
            "products_a_cycle(12)",
            "",
            "96 NORs, not 64: S V takes 1.5 times as long as Q K^T",
        ),
        Fact(
            "INT8 product",
            "23.9",
            "pJ",
            "price_pj('digital', 'column_cycle') * 64 * 3 * 5",
            "derived",
            "23.9 spreads all 6532 mW over products; archsim charges the SFU's 139 mW to what uses it",
        ),
    ),
)

TRANSFERS = Section(
    "D",
    "Transfers",
    """\
For how long a transfer holds its medium. Its result arrives later by a fixed latency, which the paper does
not give: the preset assumes 10 cycles on the buses of a chip and 40 between chips.""",
    (
        Fact(
            "partial sums of a PU: 3 KB",
            "24",
            "cycles",
            "machine().global_bus.cycles(3072)",
            "section 5",
            "768 sums of 4 bytes over the chip's global bus, 128 GB/s",
        ),
        Fact(
            "between chips, 768 bytes of a hidden vector",
            "6",
            "cycles",
            "machine().chip_link.cycles(768)",
            "section 5",
        ),
        Fact("between chips, 2048 bytes", "16", "cycles", "machine().chip_link.cycles(2048)", "section 5"),
        Fact(
            "between PUs, 1024 bytes",
            "",
            "cycles",
            "machine().interconnect.cycles(1024)",
            "",
            "1.024 at 1000 GB/s, rounded up once",
        ),
    ),
)
