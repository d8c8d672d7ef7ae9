"""Synonyms from other tools, and suggestions for unknown words.

One table for everything that suggests: layers, fields, keys of a spec, columns, filters, commands. Each line is our
word, a colon, and the synonyms in Keras, TensorFlow, PyTorch, ONNX, Caffe and darknet. Synonyms are in lower case
without `_`, `-`, 1d, 2d or 3d. Spelling is compared only if the table has no match.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import Literal

from convcalc.errors import MAX_OPTIONS, closest

Place = Literal["layer", "field", "key", "input", "column", "filter", "command", "network", "variable"]

_TABLE = {
    # Some of these layers may not be built yet; suggestions are limited to known words.
    "layer": """
        conv: convolution convolutional convolve convlayer spatialconvolution depthwiseconv separableconv
        conv: pointwiseconv groupconv groupedconv dilatedconv atrousconv
        deconv: convtranspose convtransposed transposedconv transposeconv convolutiontranspose deconvolution upconv
        deconv: deconvolutional transposedconvolution
        maxpool: maxpooling maximumpooling pool pooling subsample spatialmaxpooling
        avgpool: averagepool averagepooling avgpooling meanpool meanpooling subsampling
        global_avgpool: gap globalaveragepool globalaveragepooling globalavgpooling globalpool globalpooling
        global_avgpool: globalmeanpool
        global_maxpool: gmp globalmaxpooling
        adaptive_avgpool: adaptiveaveragepool adaptiveaveragepooling adaptiveavgpooling
        adaptive_maxpool: adaptivemaxpooling
        dense: linear fc fullyconnected innerproduct gemm affine denselayer connected
        batchnorm: bn norm batchnormalization batchnormalisation syncbatchnorm spatialbatchnorm frozenbatchnorm
        layernorm: ln layernormalization layernormalisation
        groupnorm: gn groupnormalization groupnormalisation
        instancenorm: instancenormalization instancenormalisation
        rmsnorm: rmsnormalization rmsnormalisation rmslayernorm
        l2norm: l2normalization l2normalize normalize lpnormalization unitnormalization
        lrn: localresponsenorm localresponsenormalization localresponsenormalisation crossmaplrn
        relu: rectifier rectifiedlinear rectlinear
        leaky_relu: lrelu leaky leakyrectifier
        prelu: parametricrelu
        elu: exponentiallinear
        sigmoid: logistic
        silu: swish
        hardsigmoid: hsigmoid
        hardswish: hswish hardsilu
        softmax: logsoftmax softmaxlayer
        dropout: droppath stochasticdepth spatialdropout alphadropout featuredropout
        reshape: view squeeze unsqueeze expanddims
        transpose: permute
        pad: zeropad zeropadding padding constantpad reflectionpad replicationpad circularpad
        slice: split chunk narrow stridedslice
        crop: cropping centercrop centrecrop
        upsample: interpolate resize upsampling upsamplingnearest upsamplingbilinear unpool upscale
        concat: cat concatenate concatenation merge depthconcat route join
        add: sum residual shortcut eltwise plus addition
        subtract: sub minus difference
        multiply: mul product times multiplication
        divide: div division truediv quotient
        maximum: max maxout
        minimum: min
        channel_shuffle: shuffle
        pixel_shuffle: depthtospace subpixel
        pixel_unshuffle: spacetodepth reorg focus
        scale: layerscale
        identity: noop passthrough skip
        clip: clamp hardtanh clipbyvalue
        exp: exponential
        log: logarithm
        sqrt: squareroot
        reciprocal: inverse inv
        erf: errorfunction
        selu: scaledelu
        reduce: reducemean reducesum reducemax reducemin mean
        negate: neg negative
        abs: absval absolute
        matmul: batchmatmul bmm dot
        attention: multiheadattention selfattention mha mhsa scaleddotproductattention windowattention
        attention: shiftedwindowattention groupqueryattention
        parameter: learnedtensor learnable weight clstoken classtoken posembed positionembedding
        constant: buffer fixed registerbuffer
        gather: take lookup
        select: indexselect permutechannels
        unknown: einsum custom lambda
        network: model backbone
        group: sequential layers module modulelist stage
        foreach: loop for
    """,
    "field": """
        filters: outchannels channels numoutput numfilters nfilters nbfilters outplanes cout outdim width kernels
        units: outfeatures features outputs neurons numoutput nodes outputdim numunits hiddenunits outdim width
        kernel: size kernelsize window poolsize ksize kernelshape filtersize windowsize
        stride: strides step subsample
        padding: pad pads padsize paddingsize autopad border bordermode
        dilation: dilations dilationrate atrousrate rate
        output_padding: outputpad adj
        groups: group numgroups cardinality
        depthwise: depthwiseconv
        bias: usebias biasterm withbias hasbias
        rounding: ceilmode roundmode
        count_padding: countincludepad
        heads: numheads nheads nhead numattentionheads headcount
        window: windowsize
        shift: shiftsize
        mask: attnmask attentionmask
        in_bias: qkvbias inprojbias
        out_bias: projbias outprojbias
        transpose_a: transa transposex adjointa adjx
        transpose_b: transb transposey adjointb adjy
        eps: epsilon
        affine: center elementwiseaffine
        min: minval minvalue clipvaluemin lower
        max: maxval maxvalue clipvaluemax upper
        value: constant factor fill constantvalue fillvalue
        rate: p probability drop droprate dropoutrate dropoutratio ratio
        slope: negativeslope alpha
        axis: dim dims axes normalizedshape
        shape: targetshape size
        order: perm dims permutation axes
        size: outputsize targetsize croppedsize localsize
        scale: scalefactor factor scales size gamma
        factor: upscalefactor downscalefactor blocksize scale
        mode: interpolation method bordermode paddingmode reduction
        like: target reference
        offset: start begin position
        start: begin offset
        stop: end
        step: steps stride
        shift: shifts
        keep: keepdim keepdims
        divisor: divisoroverride
        name: id label layername
        from: input inputs bottom source src inbound inboundnodes parents layers
        repeat: times count n number repeats num
        if: when condition enabled
        share: sharewith tie tied
        branches: paths towers branch layers
        layers: modules body children
        block: type module kind op layer class operator
        in: over items values
        as: var variable item
        params: args parameters arguments inputs
    """,
    "key": """
        layers: layer architecture model network net backbone head graph modules sequential
        vars: variables var parameters params args constants settings config
        input: inputshape inputsize shape imagesize imgsize size
        blocks: block macros functions
        extends: base inherits inherit parent from include
        defaults: default
        title: description fullname
        source: reference paper url author citation
        notes: note comment comments remarks
        labels: classes classnames names
        weights: checkpoint pretrained statedict
        preprocess: preprocessing transform transforms normalize normalise
        budget: budgets limits
    """,
    "input": """
        channels: c channel inchannels features planes
        height: h rows
        width: w cols columns
        length: l t samples time size
        depth: d frames
    """,
    "column": """
        layer: name names path
        kind: type op class module
        from: inbound bottom
        times: count copies repeat
        shares: sharing tied
        input: inputshape inputsize insize
        output: outputshape outputsize shape size outsize
        weights: weight
        biases: bias
        params: parameters param numparams parametercount trainable
        buffers: buffer statistics runningstatistics
        macs: mac multadds madds madd macc multiplyaccumulates
        flops: flop gflops
        field: receptivefield rf
        activations: activation activationbytes featuremaps
        memory: mem bytes traffic
        intensity: arithmeticintensity
    """,
    "filter": """
        blur: box boxblur mean average smooth
        gaussian: gauss gaussianblur
        sharpen: sharp unsharp
        edges: edge laplacian laplace outline edgedetection
        sobel-x: sobel vertical
        sobel-y: horizontal
        emboss: relief
    """,
    "command": """
        show: summary summarize summarise info describe inspect print view
        diff: difference
        forward: predict run infer inference classify eval
        field: receptivefield rf
        list: ls models architectures networks
        size: outputsize shape
        apply: convolve filter
        matrix: toeplitz im2col unroll
        worksheet: exercise exercises gradebook
        docs: manual man help doc
        schema: jsonschema
    """,
    "network": """
        lenet5: lenet lenet1998
        googlenet: inceptionv1 inception1
        torchvision/inception_v3: inception3
    """,
    "variable": """
        classes: numclasses nclasses nc nbclasses outputs
        auxiliary: aux auxlogits auxloss
    """,
}

# Fields that layers do not need, and why: they follow from something else, or do not change any figure.
_FOLLOWS = "what a layer takes in follows from the layer before it"
_NO_FIGURE = "it changes no figure"
_NEEDLESS = {
    **dict.fromkeys(
        (
            "inchannels", "infeatures", "inputchannels", "inputs", "inputshape", "inputsize", "inputdim",
            "numfeatures", "numchannels", "cin", "inplanes",
        ),
        _FOLLOWS,
    ),
    **dict.fromkeys(
        (
            "inplace", "dataformat", "kernelinitializer", "biasinitializer", "weightfiller", "biasfiller",
            "kernelregularizer", "trainable", "dtype", "device", "momentum", "trackrunningstats",
        ),
        _NO_FIGURE,
    ),
}  # fmt: skip
# Fields that are separate layers in convcalc.
_ACTIVATIONS = ("activation", "act", "activationfn", "actlayer", "nonlinearity")
_NORMALISATIONS = ("norm", "bn", "batchnorm", "batchnormalize", "batchnormalization", "usebn", "normlayer")
_SEPARATE = {**dict.fromkeys(_NORMALISATIONS, "batchnorm"), "dropout": "dropout"}

MAX_WORD = 200  # characters; longer words are truncated


def folded(word: str) -> str:
    """The word in lower case without `_`, `-`, spaces, module prefix and 1d, 2d or 3d: nn.Conv2d → conv."""
    word = word[:MAX_WORD].partition("(")[0].rstrip().rpartition(".")[2]
    return re.sub("[123]d", "", _plain(word))


def is_alike(word: str, other: str) -> bool:
    """Whether two words are equal up to case, `_`, `-` and spaces."""
    return _plain(word) == _plain(other)


def _plain(word: str) -> str:
    return word.lower().replace("_", "").replace("-", "").replace(" ", "")


@cache
def _table(place: Place) -> dict[str, tuple[str, ...]]:
    """Our words for each synonym, the most likely first."""
    found: dict[str, tuple[str, ...]] = {}
    for line in _TABLE[place].strip().splitlines():
        ours, _, theirs = line.strip().partition(": ")
        for word in theirs.split():
            found[word] = (*found.get(word, ()), ours)
    return found


def meaning(word: str, known: Iterable[str], *places: Place) -> str | None:
    """The known word that equals `word` up to case, `_` and `-`, or of which `word` is a synonym; else None.

    places: the tables to search, in order.
    """
    if len(word) > 100:
        return None
    wanted = folded(word)
    options = list(known)
    same = next((option for option in options[:MAX_OPTIONS] if _plain(option) == wanted), None)
    if same is not None:
        return same
    return next((ours for place in places for ours in _table(place).get(wanted, ()) if ours in options), None)


def suggestion(word: str, known: Iterable[str], *places: Place) -> str | None:
    """The known word with the same meaning, else the one with the most similar spelling; None if there is none."""
    options = list(known)
    return meaning(word, options, *places) or closest(word, options)


def suggest(word: str, known: Iterable[str], *places: Place) -> str:
    """The end of an error: `": convcalc calls it 'filters'"`, `"; did you mean 'kernel'?"`, or `""`."""
    options = list(known)
    meant, near = meaning(word, options, *places), closest(word, options)
    spelled_so = meant == near and folded(word) != _plain(meant or "")
    if meant is None or spelled_so or is_alike(meant, word):
        return f"; did you mean '{meant or near}'?" if meant or near else ""
    return f": convcalc calls it '{meant}'"


def needless(word: str) -> str | None:
    """The reason why another tool's field is not needed here; None for other words."""
    return _NEEDLESS.get(folded(word))


def is_activation(word: str) -> bool:
    """Whether the word is another tool's name for a layer's activation field."""
    return folded(word) in _ACTIVATIONS


def separate(word: str) -> str | None:
    """The separate layer for another tool's field, or `activation` if the field chooses one; None for other words."""
    return "activation" if is_activation(word) else _SEPARATE.get(folded(word))


def suggest_network(word: str, names: Iterable[str], most: int = 3) -> str:
    """`"; did you mean 'torchvision/mobilenet_v2' or …?"`: names that contain the word, else the closest spelling."""
    options = sorted(names, key=_members_last)
    wanted = _plain(word)
    same = [name for name in options if wanted in (_plain(name), _plain(name.rpartition("/")[2]))]
    meant = _table("network").get(wanted, ())
    near = [name for name in options if len(wanted) > 2 and wanted in _plain(name.rpartition("/")[2])]
    found = same or [name for name in meant if name in options] or near
    if not found:
        spelled = closest(word, options) or closest(word, [name.rpartition("/")[2] for name in options])
        found = [name for name in options if spelled in (name, name.rpartition("/")[2])][:1]
    if not found:
        return ""
    quoted = [f"'{name}'" for name in found[:most]]
    return f"; did you mean {' or '.join([', '.join(quoted[:-1]), quoted[-1]] if quoted[1:] else quoted)}?"


def _members_last(name: str) -> tuple[int, str]:
    """Sort key with short names first: those outside folders, and a family before its members."""
    return len(name), name
