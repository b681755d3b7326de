"""The names of torchvision's classification data sets; registering them does not import torchvision."""

#: Each of torchvision's classes and the contents of its images. A spec uses the name of the class in lower case.
CLASSES: dict[str, str] = {
    "Caltech101": "objects of 101 categories",
    "Caltech256": "objects of 256 categories",
    "CIFAR10": "32x32 photos of 10 classes",
    "CIFAR100": "32x32 photos of 100 classes",
    "CLEVRClassification": "rendered scenes, by their number of objects",
    "Country211": "photos, by the country they were taken in",
    "DTD": "describable textures",
    "EMNIST": "28x28 handwritten letters and digits",
    "EuroSAT": "Sentinel-2 satellite images, by land use",
    "FakeData": "random images, for trying things out",
    "FashionMNIST": "28x28 articles of clothing",
    "FER2013": "48x48 faces, by their expression",
    "FGVCAircraft": "aircraft variants",
    "Flowers102": "flowers of 102 species",
    "Food101": "dishes of 101 kinds",
    "GTSRB": "German traffic signs",
    "ImageNet": "ILSVRC 2012, photos of 1,000 classes",
    "Imagenette": "photos of 10 easy classes of ImageNet",
    "INaturalist": "photos of species",
    "KMNIST": "28x28 handwritten hiragana",
    "LFWPeople": "faces, by person",
    "LSUN": "scenes and objects, in LMDB files",
    "MNIST": "28x28 handwritten digits",
    "Omniglot": "handwritten characters of 50 alphabets",
    "OxfordIIITPet": "cats and dogs of 37 breeds",
    "PCAM": "96x96 patches of lymph nodes, with or without metastasis",
    "Places365": "scenes of 365 kinds",
    "QMNIST": "MNIST with its lost test samples",
    "RenderedSST2": "rendered sentences, by sentiment",
    "SEMEION": "16x16 handwritten digits",
    "StanfordCars": "cars of 196 models",
    "STL10": "96x96 photos of 10 classes, most of them unlabeled",
    "SUN397": "scenes of 397 kinds",
    "SVHN": "32x32 house numbers",
    "USPS": "16x16 handwritten digits",
}

#: Names in specs to the names of classes.
NAMES: dict[str, str] = {name.lower(): name for name in CLASSES}
